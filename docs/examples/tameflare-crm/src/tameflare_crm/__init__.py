"""The TameFlare plugin for the CRM: the connector type `crm`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

from tameflare_core import (
    Action,
    CatalogueConnector,
    Connector,
    Header,
    OutboundRequest,
    hookimpl,
    json_object,
)

__all__ = ["Crm", "register_connectors"]


class Crm(CatalogueConnector):
    """The CRM's API, version 2."""

    type = "crm"
    provider = "crm"
    placement = Header(name="x-crm-key", prefix="")
    probe = "GET /v2/me"
    catalogue_file = files(__package__) / "catalogue.tsv"
    home = ("api.crm.example",)
    body_actions = frozenset({"crm.contact.update"})
    further_actions = frozenset({"crm.contact.archive"})

    def refine(self, action: Action, request: OutboundRequest) -> Sequence[Action]:
        if action.name not in self.body_actions:
            return (action,)
        change = json_object(request, deciding=frozenset({"archived"}))
        if change.get("archived") in (None, False):
            return (action,)
        archive = replace(action, name="crm.contact.archive")
        # Renaming while archiving is an update as well.
        return (archive,) if set(change) == {"archived"} else (archive, action)


@hookimpl
def register_connectors() -> list[type[Connector]]:
    return [Crm]
