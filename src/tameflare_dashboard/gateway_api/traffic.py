"""`POST /api/gateway/traffic`: batches of records, each kept once however often it comes."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.db.storable import storable
from tameflare_dashboard.gateway_api.caller import CallerHere
from tameflare_dashboard.live import Change, ChangeKind
from tameflare_dashboard.problems import Problem
from tameflare_dashboard.store import traffic

__all__ = ["router"]

_MOST_RECORDS = 1000

router = APIRouter()

type _Milliseconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class RecordedAction(BaseModel):
    """One action of a judged request."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(max_length=200)
    access: str = Field(default="", max_length=16)
    risk: str = Field(max_length=16)
    categories: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=100)
    resource: dict[str, str] = {}
    decision: str = Field(default="", max_length=20)


class RecordedRule(BaseModel):
    """The rule that decided."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(max_length=40)
    id: str = Field(max_length=1_000)


class Record(BaseModel):
    """A traffic record; what gateways of a newer version add is kept along.

    What is shown has its type here: whoever has a gateway's token may send anything.
    """

    model_config = ConfigDict(extra="allow")

    id: str = Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    )
    time: Annotated[datetime, Field(examples=["2026-03-01T12:00:00.000+00:00"])]
    gateway: str = Field(max_length=200)
    method: str | None = Field(max_length=16)
    host: str | None = Field(max_length=255)
    scheme: str | None = Field(default=None, max_length=16)
    port: int | None = Field(default=None, ge=0, le=65_535)
    path: str | None = Field(default=None, max_length=20_000)
    connector: str | None = Field(max_length=200)
    actions: list[RecordedAction] = Field(max_length=1_000)
    decision: str | None = Field(max_length=20)
    applied: str | None = Field(default=None, max_length=20)
    rule: RecordedRule | None = None
    reason: str | None = Field(default=None, max_length=10_000)
    outcome: str = Field(max_length=20)
    status: int | None = Field(ge=100, le=999)
    error: str | None = Field(default=None, max_length=10_000)
    approval_id: str | None = Field(default=None, max_length=64)
    approval_state: str | None = Field(default=None, max_length=20)
    approval_by: str | None = Field(default=None, max_length=320)
    judge_ms: _Milliseconds = 0
    hold_ms: _Milliseconds = 0
    upstream_ms: _Milliseconds = 0

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, data: Any) -> Any:
        # An agent's path may hold half a character; that is no reason to lose its record.
        return storable(data)


class Batch(BaseModel):
    """Records of one gateway."""

    records: list[Record] = Field(max_length=_MOST_RECORDS)


class Taken(BaseModel):
    """What became of a batch."""

    accepted: int = Field(description="Records that are new.")
    known: int = Field(description="Records that were there already.")


@router.post("/traffic", summary="Hand in traffic records")
async def take(backend: BackendHere, caller: CallerHere, batch: Batch) -> Taken:
    """Keep a batch of records. Sending one again changes nothing."""
    for index, record in enumerate(batch.records):
        if record.time.tzinfo is None:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid-request",
                "the batch has a record whose time has no zone: nothing of it was kept",
                errors=[f"records.{index}.time: no zone"],
            )
    name = caller.gateway.name
    async with backend.changing(caller.actor) as tx:
        accepted = await traffic.ingest(
            tx.session,
            caller.gateway,
            [
                traffic.NewRecord(id=record.id, time=record.time, document=_document(record, name))
                for record in batch.records
            ],
            tx.now,
        )
        if accepted:
            tx.announce(Change(kind=ChangeKind.TRAFFIC, gateway=caller.gateway.id))
    return Taken(accepted=accepted, known=len(batch.records) - accepted)


def _document(record: Record, gateway: str) -> dict[str, Any]:
    # The token says whose it is; the gateway may have had another name when it wrote the record.
    document = record.model_dump()
    return {**document, "time": record.time.isoformat(), "gateway": gateway}
