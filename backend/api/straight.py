"""A handler that bypasses the framework's request and response objects, for the one route that most requests are for.

Those objects cost about as much as checking and packing a hundred positions. Routing, documentation and exception
handlers are still the framework's.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.types import ASGIApp, Receive, Scope, Send

from backend.api import body
from backend.domain.errors import Refusal

Connection = ASGIConnection[Any, Any, Any, Any]
Answer = Callable[[Connection, Callable[[], Awaitable[bytes]]], Awaitable[bytes]]


def straight(answer: Answer) -> Callable[[ASGIApp], ASGIApp]:
    """A middleware that answers 200 with JSON; ``answer`` gets the connection and a function that reads the body."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            async def read() -> bytes:
                return await _body(scope, receive)

            content = await answer(ASGIConnection(scope), read)
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content, "more_body": False})

        return call

    return around


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Refuses with ``ERR_TOO_LARGE``, as soon as it is known, a body over the limit of JSON."""
    pieces: list[bytes] = []
    size, more = 0, True
    if _length(scope) > body.JSON_LIMIT:
        raise _too_large()
    while more:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal("ERR_CUT_OFF", "The connection was closed before the whole body had arrived.")
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(piece)
        if size > body.JSON_LIMIT:
            raise _too_large()
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large() -> Refusal:
    return Refusal("ERR_TOO_LARGE", "The body is larger than this path allows.")


def _length(scope: Scope) -> int:
    """The Content-Length of the request; 0 where there is none."""
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(length) if length.isdigit() else 0
