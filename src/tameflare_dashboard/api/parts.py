"""The parts of a gateway's document: connectors, permissions and policies, one by one.

Each edit is one of the whole document: it is checked as a whole, and carries the gateway's ETag.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from tameflare_dashboard.api.fields import Body, GatewayKey, MayEdit, MaySee
from tameflare_dashboard.api.versions import IfMatch, check_version, tag
from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.auth.principal import Principal
from tameflare_dashboard.backend import Backend
from tameflare_dashboard.documents import edited, parts
from tameflare_dashboard.problems import not_found
from tameflare_dashboard.store import gateways

__all__ = ["router"]

router = APIRouter(prefix="/gateways/{gateway}")

type _Part = Annotated[
    dict[str, Any], Field(description="With the keys that it has in `tameflare.yaml`.")
]
type _Name = Annotated[str, Path(max_length=200, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
type _Index = Annotated[int, Path(ge=0, le=100_000)]


class Part(Body):
    """One part, as it stands in the document."""

    value: _Part = Field(
        examples=[{"connector": "github", "action": "github.*", "decision": "require_approval"}]
    )


class Parts(Body):
    """All parts of one kind, in their order."""

    items: list[_Part]


async def _read(backend: Backend, response: Response, gateway: str, kind: str) -> list[Any]:
    async with backend.reading() as session:
        row = await gateways.find(session, gateway)
    tag(response, row.version)
    return list(parts(row.document).get(kind) or [])


async def _edit(
    backend: Backend,
    response: Response,
    principal: Principal,
    gateway: str,
    if_match: str | None,
    kind: str,
    change: Callable[[list[Any]], None],
) -> list[Any]:
    items: list[Any] = []

    def edit(document: dict[str, Any]) -> None:
        items.extend(document.get(kind) or [])
        change(items)
        document[kind] = items

    async with backend.changing(principal.actor) as tx:
        row = await gateways.find(tx.session, gateway, lock=True)
        check_version(if_match, row.version)
        await gateways.change(tx, backend, row, edited(row.document, edit))
    tag(response, row.version)
    return items


def _named(items: list[Any], name: str, *keys: str) -> int | None:
    for index, item in enumerate(items):
        if next((item[key] for key in keys if item.get(key)), None) == name:
            return index
    return None


def _put(name: str, value: dict[str, Any], *keys: str) -> Callable[[list[Any]], None]:
    def change(items: list[Any]) -> None:
        index = _named(items, name, *keys)
        if index is None:
            items.append(value)
        else:
            items[index] = value

    return change


def _drop(what: str, name: str, *keys: str) -> Callable[[list[Any]], None]:
    def change(items: list[Any]) -> None:
        index = _named(items, name, *keys)
        if index is None:
            raise not_found(what, name)
        del items[index]

    return change


def _check_index(items: list[Any], index: int) -> None:
    if index >= len(items):
        raise not_found("permission", str(index))


_CONNECTOR = ("id", "type")
_POLICY = ("name",)


@router.get("/connectors", tags=["connectors"], summary="A gateway's connectors")
async def connectors(
    response: Response, backend: BackendHere, _: MaySee, gateway: GatewayKey
) -> Parts:
    """The services that a gateway knows."""
    return Parts(items=await _read(backend, response, gateway, "connectors"))


@router.put("/connectors/{id}", tags=["connectors"], summary="Add or change a connector")
async def put_connector(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    id: _Name,  # noqa: A002
    part: Part,
    if_match: IfMatch = None,
) -> Parts:
    """Add a connector, or replace the one with this id."""
    value = part.value if id == part.value.get("type") else {**part.value, "id": id}
    change = _put(id, value, *_CONNECTOR)
    items = await _edit(backend, response, principal, gateway, if_match, "connectors", change)
    return Parts(items=items)


@router.delete("/connectors/{id}", tags=["connectors"], summary="Remove a connector")
async def remove_connector(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    id: _Name,  # noqa: A002
    if_match: IfMatch = None,
) -> Parts:
    """Remove a connector that no permission names any more."""
    change = _drop("connector", id, *_CONNECTOR)
    items = await _edit(backend, response, principal, gateway, if_match, "connectors", change)
    return Parts(items=items)


@router.get("/permissions", tags=["permissions"], summary="A gateway's permissions")
async def permissions(
    response: Response, backend: BackendHere, _: MaySee, gateway: GatewayKey
) -> Parts:
    """What a gateway may do. The order says nothing; the index is the rule's id in verdicts."""
    return Parts(items=await _read(backend, response, gateway, "permissions"))


@router.put("/permissions", tags=["permissions"], summary="Replace all permissions")
async def put_permissions(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    new: Parts,
    if_match: IfMatch = None,
) -> Parts:
    """Replace all permissions of a gateway."""

    def change(items: list[Any]) -> None:
        items[:] = new.items

    items = await _edit(backend, response, principal, gateway, if_match, "permissions", change)
    return Parts(items=items)


@router.post("/permissions", status_code=201, tags=["permissions"], summary="Add a permission")
async def add_permission(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    part: Part,
    if_match: IfMatch = None,
) -> Parts:
    """Add a permission."""

    def change(items: list[Any]) -> None:
        items.append(part.value)

    items = await _edit(backend, response, principal, gateway, if_match, "permissions", change)
    return Parts(items=items)


@router.put("/permissions/{index}", tags=["permissions"], summary="Change a permission")
async def put_permission(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    index: _Index,
    part: Part,
    if_match: IfMatch = None,
) -> Parts:
    """Replace one permission."""

    def change(items: list[Any]) -> None:
        _check_index(items, index)
        items[index] = part.value

    items = await _edit(backend, response, principal, gateway, if_match, "permissions", change)
    return Parts(items=items)


@router.delete("/permissions/{index}", tags=["permissions"], summary="Remove a permission")
async def remove_permission(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    index: _Index,
    if_match: IfMatch = None,
) -> Parts:
    """Remove one permission."""

    def change(items: list[Any]) -> None:
        _check_index(items, index)
        del items[index]

    items = await _edit(backend, response, principal, gateway, if_match, "permissions", change)
    return Parts(items=items)


@router.get("/policies", tags=["policies"], summary="A gateway's own policies")
async def policies(
    response: Response, backend: BackendHere, _: MaySee, gateway: GatewayKey
) -> Parts:
    """The policies in a gateway's document."""
    return Parts(items=await _read(backend, response, gateway, "policies"))


@router.put("/policies/{name}", tags=["policies"], summary="Add or change a gateway's policy")
async def put_policy(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    name: _Name,
    part: Part,
    if_match: IfMatch = None,
) -> Parts:
    """Add a policy to a gateway, or replace the one with this name."""
    change = _put(name, {**part.value, "name": name}, *_POLICY)
    items = await _edit(backend, response, principal, gateway, if_match, "policies", change)
    return Parts(items=items)


@router.delete("/policies/{name}", tags=["policies"], summary="Remove a gateway's policy")
async def remove_policy(
    response: Response,
    backend: BackendHere,
    principal: MayEdit,
    gateway: GatewayKey,
    name: _Name,
    if_match: IfMatch = None,
) -> Parts:
    """Remove a policy from a gateway."""
    change = _drop("policy", name, *_POLICY)
    items = await _edit(backend, response, principal, gateway, if_match, "policies", change)
    return Parts(items=items)
