"""`GET /api/gateway/ca.pem`: what programs behind a gateway have to trust."""

from __future__ import annotations

from http import HTTPStatus

from anyio import to_thread
from fastapi import APIRouter, Depends, Response

from tameflare_dashboard.auth.gate import BackendHere
from tameflare_dashboard.gateway_api.caller import caller
from tameflare_dashboard.problems import Problem

__all__ = ["router"]

_TYPE = "application/pem-certificate-chain"

router = APIRouter()


@router.get(
    "/ca.pem",
    summary="The certificate of the gateways' authority",
    response_class=Response,
    dependencies=[Depends(caller)],
    responses={200: {"content": {_TYPE: {}}}, 404: {"description": "None is kept here."}},
)
async def certificate(backend: BackendHere) -> Response:
    """The certificate that signs what programs behind a gateway see, as PEM."""
    path = backend.settings.ca_certificate
    if path is not None:
        try:
            content = await to_thread.run_sync(path.read_bytes)
        except OSError:
            content = b""
        if content:
            return Response(content, media_type=_TYPE)
    raise Problem(
        HTTPStatus.NOT_FOUND,
        "not-found",
        "this control plane keeps no authority: take the certificate from the gateway's machine",
    )
