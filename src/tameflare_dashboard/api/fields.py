"""Fields that several resources have, with their bounds."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tameflare_dashboard.auth.gate import requires
from tameflare_dashboard.auth.principal import Principal
from tameflare_dashboard.auth.roles import Capability

__all__ = [
    "Body",
    "DocumentText",
    "Email",
    "GatewayKey",
    "Id",
    "MayAdminister",
    "MayAnswer",
    "MayEdit",
    "MayKill",
    "MaySee",
    "MayUnkill",
    "Name",
    "Password",
]


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("it has characters that cannot be seen, or blanks at its ends")
    return text


class Body(BaseModel):
    """What a write carries; a field that is not known is a mistake and no wish."""

    model_config = ConfigDict(extra="forbid")


type Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
type Email = Annotated[
    str,
    Field(
        max_length=320,
        pattern=r"^[^@\s\x00-\x20\x7f]+@[^@\s\x00-\x20\x7f]+$",
        examples=["ana@example.com"],
    ),
]
type Password = Annotated[str, Field(min_length=12, max_length=256)]
type DocumentText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1_000_000,
        description="The text of a `tameflare.yaml`.",
        examples=["version: 1\ngateway: dev-bot\n"],
    ),
]
type Id = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
type GatewayKey = Annotated[
    str,
    Path(
        max_length=200,
        pattern=r"^[a-z0-9_-]+$",
        description="The gateway's id or its name.",
        examples=["prod-agent"],
    ),
]

type MaySee = Annotated[Principal, Depends(requires(Capability.SEE))]
type MayAnswer = Annotated[Principal, Depends(requires(Capability.ANSWER))]
type MayEdit = Annotated[Principal, Depends(requires(Capability.EDIT))]
type MayKill = Annotated[Principal, Depends(requires(Capability.KILL))]
type MayUnkill = Annotated[Principal, Depends(requires(Capability.UNKILL))]
type MayAdminister = Annotated[Principal, Depends(requires(Capability.ADMINISTER))]
