"""Every table; importing this makes the metadata complete."""

from tameflare_dashboard.db.models.approvals import ApprovalRow as ApprovalRow
from tameflare_dashboard.db.models.audit import AuditCheckpointRow as AuditCheckpointRow
from tameflare_dashboard.db.models.audit import AuditEventRow as AuditEventRow
from tameflare_dashboard.db.models.gateways import CredentialRow as CredentialRow
from tameflare_dashboard.db.models.gateways import GatewayRow as GatewayRow
from tameflare_dashboard.db.models.gateways import GatewayTokenRow as GatewayTokenRow
from tameflare_dashboard.db.models.gateways import InstanceRow as InstanceRow
from tameflare_dashboard.db.models.gateways import KillSwitchRow as KillSwitchRow
from tameflare_dashboard.db.models.gateways import OrgPolicyRow as OrgPolicyRow
from tameflare_dashboard.db.models.gateways import StreamRow as StreamRow
from tameflare_dashboard.db.models.notices import NoticeRow as NoticeRow
from tameflare_dashboard.db.models.notices import SeenSignatureRow as SeenSignatureRow
from tameflare_dashboard.db.models.people import AttemptRow as AttemptRow
from tameflare_dashboard.db.models.people import InvitationRow as InvitationRow
from tameflare_dashboard.db.models.people import LoginCodeRow as LoginCodeRow
from tameflare_dashboard.db.models.people import OrgRow as OrgRow
from tameflare_dashboard.db.models.people import PersonalTokenRow as PersonalTokenRow
from tameflare_dashboard.db.models.people import SessionRow as SessionRow
from tameflare_dashboard.db.models.people import UserRow as UserRow
from tameflare_dashboard.db.models.traffic import TrafficHourRow as TrafficHourRow
from tameflare_dashboard.db.models.traffic import TrafficMinuteRow as TrafficMinuteRow
from tameflare_dashboard.db.models.traffic import TrafficRow as TrafficRow

__all__ = [
    "ApprovalRow",
    "AttemptRow",
    "AuditCheckpointRow",
    "AuditEventRow",
    "CredentialRow",
    "GatewayRow",
    "GatewayTokenRow",
    "InstanceRow",
    "InvitationRow",
    "KillSwitchRow",
    "LoginCodeRow",
    "NoticeRow",
    "OrgPolicyRow",
    "OrgRow",
    "PersonalTokenRow",
    "SeenSignatureRow",
    "SessionRow",
    "StreamRow",
    "TrafficHourRow",
    "TrafficMinuteRow",
    "TrafficRow",
    "UserRow",
]
