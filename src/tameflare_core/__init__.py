"""Names, judges and guards the HTTP requests of AI agents.

Everything public is here, under one name; where it stands below may change. Each name is imported
when it is first asked for, so that importing this costs nothing that is not used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tameflare_core.action import Access as Access
    from tameflare_core.action import Action as Action
    from tameflare_core.action import Category as Category
    from tameflare_core.action import Risk as Risk
    from tameflare_core.approval import Answer as Answer
    from tameflare_core.approval import Approval as Approval
    from tameflare_core.approval import ApprovalState as ApprovalState
    from tameflare_core.approval import Grant as Grant
    from tameflare_core.approvals import Approvals as Approvals
    from tameflare_core.approvals import Approver as Approver
    from tameflare_core.approvals import AsyncApprovals as AsyncApprovals
    from tameflare_core.approvals import AsyncApprover as AsyncApprover
    from tameflare_core.approvals import AsyncNobodyToAsk as AsyncNobodyToAsk
    from tameflare_core.approvals import NobodyToAsk as NobodyToAsk
    from tameflare_core.canonical import Ambiguity as Ambiguity
    from tameflare_core.commands import AskStatus as AskStatus
    from tameflare_core.commands import AwaitApproval as AwaitApproval
    from tameflare_core.commands import Forward as Forward
    from tameflare_core.commands import GiveBackUsage as GiveBackUsage
    from tameflare_core.commands import OpenApproval as OpenApproval
    from tameflare_core.commands import Opened as Opened
    from tameflare_core.commands import PrepareRecord as PrepareRecord
    from tameflare_core.commands import ReadBody as ReadBody
    from tameflare_core.commands import Record as Record
    from tameflare_core.commands import Refuse as Refuse
    from tameflare_core.commands import ReserveUsage as ReserveUsage
    from tameflare_core.commands import ResolveCredential as ResolveCredential
    from tameflare_core.commands import SettleUsage as SettleUsage
    from tameflare_core.commands import TakeUsage as TakeUsage
    from tameflare_core.commands import WithdrawApproval as WithdrawApproval
    from tameflare_core.config.document import GatewayConfig as GatewayConfig
    from tameflare_core.connectors.base import Connector as Connector
    from tameflare_core.connectors.base import ConnectorSettings as ConnectorSettings
    from tameflare_core.connectors.base import opaque_action as opaque_action
    from tameflare_core.connectors.base import unmapped_action as unmapped_action
    from tameflare_core.connectors.catalogue import CatalogueConnector as CatalogueConnector
    from tameflare_core.connectors.matching import BaseUrl as BaseUrl
    from tameflare_core.connectors.matching import Origin as Origin
    from tameflare_core.current_point import CurrentPoint as CurrentPoint
    from tameflare_core.decision import ApprovalTerms as ApprovalTerms
    from tameflare_core.decision import Decision as Decision
    from tameflare_core.decision import Judgement as Judgement
    from tameflare_core.decision import Refusal as Refusal
    from tameflare_core.decision import Role as Role
    from tameflare_core.decision import Rule as Rule
    from tameflare_core.decision import RuleKind as RuleKind
    from tameflare_core.decision import Verdict as Verdict
    from tameflare_core.decision_point import DecisionPoint as DecisionPoint
    from tameflare_core.enforcement import enforce as enforce
    from tameflare_core.enforcement_level import EnforcementLevel as EnforcementLevel
    from tameflare_core.errors import AddressRefused as AddressRefused
    from tameflare_core.errors import ApprovalNotUsable as ApprovalNotUsable
    from tameflare_core.errors import ApprovalUnavailable as ApprovalUnavailable
    from tameflare_core.errors import ClientGone as ClientGone
    from tameflare_core.errors import ConfigError as ConfigError
    from tameflare_core.errors import CredentialError as CredentialError
    from tameflare_core.errors import ExchangeKilled as ExchangeKilled
    from tameflare_core.errors import OpaqueBody as OpaqueBody
    from tameflare_core.errors import PluginError as PluginError
    from tameflare_core.errors import RequestRejected as RequestRejected
    from tameflare_core.errors import TameflareError as TameflareError
    from tameflare_core.errors import UpstreamError as UpstreamError
    from tameflare_core.errors import VaultError as VaultError
    from tameflare_core.frontend import AsyncServices as AsyncServices
    from tameflare_core.frontend import Credentials as Credentials
    from tameflare_core.frontend import Recorder as Recorder
    from tameflare_core.frontend import Services as Services
    from tameflare_core.gateway import BoundConnector as BoundConnector
    from tameflare_core.gateway import Gateway as Gateway
    from tameflare_core.headers import Headers as Headers
    from tameflare_core.hookspecs import hookimpl as hookimpl
    from tameflare_core.host_categories import HostCategories as HostCategories
    from tameflare_core.host_categories import HostClassifier as HostClassifier
    from tameflare_core.injection.placement import Basic as Basic
    from tameflare_core.injection.placement import Header as Header
    from tameflare_core.injection.placement import Placement as Placement
    from tameflare_core.injection.placement import Query as Query
    from tameflare_core.kill_switch import KillScope as KillScope
    from tameflare_core.kill_switch import KillSwitch as KillSwitch
    from tameflare_core.kill_switch import KillSwitches as KillSwitches
    from tameflare_core.kill_switch_file import KillSwitchFile as KillSwitchFile
    from tameflare_core.parsers.route_table import Match as Match
    from tameflare_core.parsers.route_table import Route as Route
    from tameflare_core.parsers.route_table import RouteTable as RouteTable
    from tameflare_core.parsers.strict_json import json_object as json_object
    from tameflare_core.parsers.strict_json import parse_json as parse_json
    from tameflare_core.patterns import ActionPattern as ActionPattern
    from tameflare_core.permission import Permission as Permission
    from tameflare_core.plugins import Plugins as Plugins
    from tameflare_core.plugins import load_plugins as load_plugins
    from tameflare_core.record import TrafficRecord as TrafficRecord
    from tameflare_core.request import Body as Body
    from tameflare_core.request import BodyState as BodyState
    from tameflare_core.request import OutboundRequest as OutboundRequest
    from tameflare_core.surroundings import Surroundings as Surroundings
    from tameflare_core.traffic_log import TrafficLog as TrafficLog
    from tameflare_core.transports.httpx import AsyncEnforcingTransport as AsyncEnforcingTransport
    from tameflare_core.transports.httpx import EnforcingTransport as EnforcingTransport
    from tameflare_core.usage import Charge as Charge
    from tameflare_core.usage import LocalUsage as LocalUsage
    from tameflare_core.usage import UsageMeter as UsageMeter
    from tameflare_core.vault.references import CredentialReference as CredentialReference
    from tameflare_core.vault.references import CredentialSource as CredentialSource
    from tameflare_core.vault.secret import Secret as Secret

    __version__: str

__all__ = [
    "Access",
    "Action",
    "ActionPattern",
    "AddressRefused",
    "Ambiguity",
    "Answer",
    "Approval",
    "ApprovalNotUsable",
    "ApprovalState",
    "ApprovalTerms",
    "ApprovalUnavailable",
    "Approvals",
    "Approver",
    "AskStatus",
    "AsyncApprovals",
    "AsyncApprover",
    "AsyncEnforcingTransport",
    "AsyncNobodyToAsk",
    "AsyncServices",
    "AwaitApproval",
    "BaseUrl",
    "Basic",
    "Body",
    "BodyState",
    "BoundConnector",
    "CatalogueConnector",
    "Category",
    "Charge",
    "ClientGone",
    "ConfigError",
    "Connector",
    "ConnectorSettings",
    "CredentialError",
    "CredentialReference",
    "CredentialSource",
    "Credentials",
    "CurrentPoint",
    "Decision",
    "DecisionPoint",
    "EnforcementLevel",
    "EnforcingTransport",
    "ExchangeKilled",
    "Forward",
    "Gateway",
    "GatewayConfig",
    "GiveBackUsage",
    "Grant",
    "Header",
    "Headers",
    "HostCategories",
    "HostClassifier",
    "Judgement",
    "KillScope",
    "KillSwitch",
    "KillSwitchFile",
    "KillSwitches",
    "LocalUsage",
    "Match",
    "NobodyToAsk",
    "OpaqueBody",
    "OpenApproval",
    "Opened",
    "Origin",
    "OutboundRequest",
    "Permission",
    "Placement",
    "PluginError",
    "Plugins",
    "PrepareRecord",
    "Query",
    "ReadBody",
    "Record",
    "Recorder",
    "Refusal",
    "Refuse",
    "RequestRejected",
    "ReserveUsage",
    "ResolveCredential",
    "Risk",
    "Role",
    "Route",
    "RouteTable",
    "Rule",
    "RuleKind",
    "Secret",
    "Services",
    "SettleUsage",
    "Surroundings",
    "TakeUsage",
    "TameflareError",
    "TrafficLog",
    "TrafficRecord",
    "UpstreamError",
    "UsageMeter",
    "VaultError",
    "Verdict",
    "WithdrawApproval",
    "__version__",
    "enforce",
    "hookimpl",
    "json_object",
    "load_plugins",
    "opaque_action",
    "parse_json",
    "unmapped_action",
]

_HOMES = {
    "Access": "action",
    "Action": "action",
    "ActionPattern": "patterns",
    "AddressRefused": "errors",
    "Ambiguity": "canonical",
    "Answer": "approval",
    "Approval": "approval",
    "ApprovalNotUsable": "errors",
    "ApprovalState": "approval",
    "ApprovalTerms": "decision",
    "ApprovalUnavailable": "errors",
    "Approvals": "approvals",
    "Approver": "approvals",
    "AskStatus": "commands",
    "AsyncApprovals": "approvals",
    "AsyncApprover": "approvals",
    "AsyncEnforcingTransport": "transports.httpx",
    "AsyncNobodyToAsk": "approvals",
    "AsyncServices": "frontend",
    "AwaitApproval": "commands",
    "BaseUrl": "connectors.matching",
    "Basic": "injection.placement",
    "Body": "request",
    "BodyState": "request",
    "BoundConnector": "gateway",
    "CatalogueConnector": "connectors.catalogue",
    "Category": "action",
    "Charge": "usage",
    "ClientGone": "errors",
    "ConfigError": "errors",
    "Connector": "connectors.base",
    "ConnectorSettings": "connectors.base",
    "CredentialError": "errors",
    "CredentialReference": "vault.references",
    "CredentialSource": "vault.references",
    "Credentials": "frontend",
    "CurrentPoint": "current_point",
    "Decision": "decision",
    "DecisionPoint": "decision_point",
    "EnforcementLevel": "enforcement_level",
    "EnforcingTransport": "transports.httpx",
    "ExchangeKilled": "errors",
    "Forward": "commands",
    "Gateway": "gateway",
    "GatewayConfig": "config.document",
    "GiveBackUsage": "commands",
    "Grant": "approval",
    "Header": "injection.placement",
    "Headers": "headers",
    "HostCategories": "host_categories",
    "HostClassifier": "host_categories",
    "Judgement": "decision",
    "KillScope": "kill_switch",
    "KillSwitch": "kill_switch",
    "KillSwitchFile": "kill_switch_file",
    "KillSwitches": "kill_switch",
    "LocalUsage": "usage",
    "Match": "parsers.route_table",
    "NobodyToAsk": "approvals",
    "OpaqueBody": "errors",
    "OpenApproval": "commands",
    "Opened": "commands",
    "Origin": "connectors.matching",
    "OutboundRequest": "request",
    "Permission": "permission",
    "Placement": "injection.placement",
    "PluginError": "errors",
    "Plugins": "plugins",
    "PrepareRecord": "commands",
    "Query": "injection.placement",
    "ReadBody": "commands",
    "Record": "commands",
    "Recorder": "frontend",
    "Refusal": "decision",
    "Refuse": "commands",
    "RequestRejected": "errors",
    "ReserveUsage": "commands",
    "ResolveCredential": "commands",
    "Risk": "action",
    "Role": "decision",
    "Route": "parsers.route_table",
    "RouteTable": "parsers.route_table",
    "Rule": "decision",
    "RuleKind": "decision",
    "Secret": "vault.secret",
    "Services": "frontend",
    "SettleUsage": "commands",
    "Surroundings": "surroundings",
    "TakeUsage": "commands",
    "TameflareError": "errors",
    "TrafficLog": "traffic_log",
    "TrafficRecord": "record",
    "UpstreamError": "errors",
    "UsageMeter": "usage",
    "VaultError": "errors",
    "Verdict": "decision",
    "WithdrawApproval": "commands",
    "enforce": "enforcement",
    "hookimpl": "hookspecs",
    "json_object": "parsers.strict_json",
    "load_plugins": "plugins",
    "opaque_action": "connectors.base",
    "parse_json": "parsers.strict_json",
    "unmapped_action": "connectors.base",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tameflare-core")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
