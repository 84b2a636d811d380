"""Authentication of callers: by API key, or by a phone's device token.

A key is sent as ``?key=``, ``Authorization: Bearer`` or ``X-API-Key``, a device token as ``Authorization: Bearer``; a
browser's websocket sends either as the subprotocol ``bearer.<secret>``.
"""

from typing import Any

from litestar.connection import ASGIConnection

from backend.domain.accounts import Device, Office, Role
from backend.domain.errors import Refusal
from backend.service import identity
from backend.service.desk import Desk

Connection = ASGIConnection[Any, Any, Any, Any]
_LONGEST = 512  # characters; no key or token that we issue is longer


def desk_of(connection: Connection) -> Desk:
    """The desk that the application was wired with."""
    desk: Desk = connection.app.state.desk
    return desk


def presented(connection: Connection) -> str | None:
    """The key or token of the request, from whichever place it was sent in."""
    # Nearly all requests are a phone's: their other headers need not be made into an object first
    sent = next((value for name, value in connection.scope["headers"] if name == b"authorization"), b"")
    kind, _, secret = sent.decode("latin-1").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip()
    return (
        connection.headers.get("x-api-key")
        or connection.query_params.get("key")
        or next((each[7:] for each in subprotocols(connection) if each.startswith("bearer.")), None)
        or None
    )


def subprotocols(connection: Connection) -> list[str]:
    """The subprotocols that a websocket's client offered, in its order."""
    offered: Any = connection.scope.get("subprotocols", ())
    return list(offered)


async def office(connection: Connection, *roles: Role) -> Office:
    """The caller, by an API key with one of these roles (by default the tenant role only).

    Refuses with ``ERR_UNAUTHENTICATED`` where the key is missing or unknown, with ``ERR_FORBIDDEN`` where it has
    another role.
    """
    secret = presented(connection)
    if not secret:
        raise Refusal("ERR_UNAUTHENTICATED", "Send an API key as ?key=, Authorization: Bearer or X-API-Key.")
    caller = await identity.office(desk_of(connection), secret[:_LONGEST])
    if caller is None:
        if await identity.device(desk_of(connection), secret[:_LONGEST]):
            raise Refusal("ERR_FORBIDDEN", "This is a phone's token; an API key is needed here.")
        raise Refusal("ERR_UNAUTHENTICATED", "This API key is unknown or has been revoked.")
    if caller.role not in (roles or (Role.TENANT,)):
        raise Refusal("ERR_FORBIDDEN", f"A key with the role {caller.role.value!r} may not do this.")
    return caller


async def device(connection: Connection) -> Device:
    """The calling phone, by its device token.

    Refuses with ``ERR_UNAUTHENTICATED``, or with ``ERR_FORBIDDEN`` where an API key was sent instead.
    """
    secret = presented(connection)
    if not secret:
        raise Refusal("ERR_UNAUTHENTICATED", "Send the device token that pairing gave, as Authorization: Bearer.")
    caller = await identity.device(desk_of(connection), secret[:_LONGEST])
    if caller is None:
        if await identity.office(desk_of(connection), secret[:_LONGEST]):
            raise Refusal("ERR_FORBIDDEN", "This is an API key; a phone's device token is needed here.")
        raise Refusal("ERR_UNAUTHENTICATED", "This device token is unknown or has been revoked; pair the phone again.")
    return caller
