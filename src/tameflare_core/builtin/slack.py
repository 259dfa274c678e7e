"""Slack: every published method of the Web API, files, and the URLs that Slack hands out.

Sources of the operations: the methods of Slack's Python SDK, and 24 more of Slack's reference
(datastores, external tokens, remote files, permissions of functions and triggers), as names in
`catalogs/slack.tsv`. The verb of a row is the one that is published; Slack takes both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from tameflare_core.action import Action
from tameflare_core.builtin.slack_arguments import FIELDS, PARAMS, read_arguments, with_arguments
from tameflare_core.connectors.base import Connector, ConnectorSettings
from tameflare_core.connectors.catalogue import CatalogueConnector
from tameflare_core.connectors.matching import BaseUrl
from tameflare_core.hookspecs import hookimpl
from tameflare_core.injection.placement import Header, Placement
from tameflare_core.parsers.route_table import Route
from tameflare_core.request import OutboundRequest

__all__ = ["ACROSS_CHANNELS", "Slack", "register_connectors"]

_METHODS = "/api/"
_HOOKS = "hooks.slack.com"
# Who knows one of these URLs may use it: its last segment is a secret.
_SELF_AUTHORISED = (
    "/actions/",
    "/commands/",
    "/services/",
    "/triggers/",
    "/upload/",
    "/workflows/",
)

# Parameters of a path that say nothing that a rule may see or wants to.
_UNTOLD = frozenset({"location", "name", "secret"})
# `T…-F…`, and a third part for a thumbnail.
_LOCATION = re.compile(r"([ET][A-Z0-9]+)-(F[A-Z0-9]+)(?:-[0-9A-Za-z]+)?")

ACROSS_CHANNELS = frozenset(
    f"slack.{name}"
    for name in (
        "app_connection.open",
        "call.create",
        "call.end",
        "call.update",
        "canvas.delete",
        "canvas.get",
        "canvas.update",
        "canvas_access.delete",
        "canvas_access.set",
        "canvas_section.lookup",
        "content.search",
        "dialog.open",
        "entity.present_details",
        "file.complete_upload",
        "file.create_public_url",
        "file.delete",
        "file.get",
        "file.list",
        "file.revoke_public_url",
        "file.search",
        "file.upload",
        "file_comment.delete",
        "function.complete_error",
        "function.complete_success",
        "message.search",
        "message.unfurl",
        "reaction.add",
        "reaction.get",
        "reaction.list",
        "reaction.remove",
        "remote_file.delete",
        "remote_file.get",
        "remote_file.list",
        "remote_file.share",
        "remote_file.update",
        "rtm.connect",
        "rtm.start",
        "scheduled_message.list",
        "shared_invite.accept",
        "shared_invite.approve",
        "shared_invite.decline",
        "shared_invite_request.approve",
        "shared_invite_request.deny",
        "slack_list_download.get",
        "star.add",
        "star.list",
        "star.remove",
        "view.open",
        "view.push",
        "view.update",
        "workflow_step.complete",
        "workflow_step.fail",
    )
)
"""Actions that reach what is in channels, and name none or not always."""


class Slack(CatalogueConnector):
    """Slack's Web API, its files, incoming webhooks and response URLs.

    It owns `slack.com`, `files.slack.com` and `hooks.slack.com`, or the host of a `base_url`, which
    may end in `/api` as the SDKs write it.
    """

    type = "slack"
    provider = "slack"
    placement = Header()
    probe = "GET /api/auth.test"
    catalogue_file = files(__package__) / "catalogs/slack.tsv"
    home = ("slack.com", "files.slack.com", _HOOKS)
    # `GET /api/chat.delete` deletes.
    safe_reads = False

    def __init__(self, settings: ConnectorSettings) -> None:
        base = settings.base_url
        if base is not None:
            prefix = base.prefix.removesuffix("/api")
            settings = replace(settings, base_url=BaseUrl(base.origin, prefix))
        super().__init__(settings)

    @classmethod
    def matched(cls, rows: Sequence[Route]) -> Sequence[Route]:
        return [
            replace(row, method=method)
            for row in rows
            for method in (("GET", "POST") if row.path.startswith(_METHODS) else (row.method,))
        ]

    @property
    def resource_fields(self) -> frozenset[str]:
        return (super().resource_fields - _UNTOLD) | FIELDS

    @property
    def param_fields(self) -> frozenset[str]:
        return PARAMS

    def takes_method_from_body(self, request: OutboundRequest) -> bool:
        return False

    def placement_for(self, request: OutboundRequest, configured: Placement) -> Placement | None:
        return None if self._is_self_authorised(request) else configured

    def shown_path(self, request: OutboundRequest) -> str:
        if not self._is_self_authorised(request):
            return request.path
        match = self.find(self._table, "POST", self.below(request) or "/")
        if match is None:
            return "/…"
        return request.path.removesuffix("/").rpartition("/")[0] + "/…"

    def needs_body(self, request: OutboundRequest) -> bool:
        return self._method_path(request) is not None

    def parse(self, request: OutboundRequest) -> Sequence[Action]:
        (action,) = super().parse(request)
        path = self._method_path(request)
        if path is None:
            # In which channel a webhook posts, or a file is, Slack alone knows.
            return (replace(action, resource_complete=False),)
        # Methods that are published with GET do not say that they read JSON.
        takes_json = _published().get(path) != "GET"
        arguments, all_read = read_arguments(request, takes_json=takes_json)
        told = with_arguments(
            replace(
                action,
                resource_complete=action.resource_complete and all_read,
                # What an unknown method reads is not known either.
                params_complete=all_read and self._find(request) is not None,
            ),
            arguments,
        )
        if action.name not in ACROSS_CHANNELS:
            return told
        return [
            one if "channel" in one.resource else replace(one, resource_complete=False)
            for one in told
        ]

    def resource(self, params: Mapping[str, str]) -> dict[str, str]:
        told = super().resource({key: params[key] for key in params if key not in _UNTOLD})
        location = _LOCATION.fullmatch(params.get("location", ""))
        return told if location is None else told | {"team": location[1], "file": location[2]}

    def _method_path(self, request: OutboundRequest) -> str | None:
        path = self.below(request)
        return path if path is not None and path.startswith(_METHODS) else None

    def _is_self_authorised(self, request: OutboundRequest) -> bool:
        path = self.below(request) or ""
        return request.host == _HOOKS or path.lower().startswith(_SELF_AUTHORISED)


@cache
def _published() -> Mapping[str, str]:
    return {row.path: row.method for row in Slack.catalogue()}


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Slack]
