"""A process with one gateway, whose configuration is a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tameflare_core.approvals import AsyncApprovals, AsyncApprover, Spawn
from tameflare_core.current_point import CurrentPoint
from tameflare_core.frontend import AsyncServices, Credentials, Recorder
from tameflare_core.gateway import Gateway
from tameflare_core.kill_switch import KillSwitches
from tameflare_core.plugins import Plugins
from tameflare_core.tokens import token_digest
from tameflare_proxy.bounds import Limits
from tameflare_proxy.served import ServedGateway

__all__ = ["OneGateway"]


class OneGateway:
    """The only gateway of a process.

    Args:
        gateway: what to serve.
        plugins: where credentials are looked up.
        token: what clients present.
        approver: whom to ask.
        recorder: keeps the traffic records.
        kill_switches: those that are active now; see `CurrentPoint`.
        limits: what it may take up.
        spawn: runs things in the background as long as the proxy does.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        plugins: Plugins,
        token: str,
        approver: AsyncApprover,
        recorder: Recorder,
        kill_switches: Callable[[], KillSwitches] | None = None,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        spawn: Spawn,
    ) -> None:
        self._served = ServedGateway(
            point=CurrentPoint(gateway, kill_switches),
            services=AsyncServices(
                approvals=AsyncApprovals(approver, limit=limits.held, spawn=spawn),
                recorder=recorder,
                credentials=Credentials(plugins.credential_sources, gateway.folder),
            ),
            token_digest=token_digest(token),
        )

    async def find(self, token: str) -> ServedGateway | None:
        return self._served if self._served.presents(token) else None

    def __iter__(self) -> Iterator[ServedGateway]:
        yield self._served
