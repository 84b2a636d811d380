"""A way past the framework's request and response objects, for the one route that nearly every request is for.

They cost about as much as checking and packing a hundred positions. The route is still found, documented and guarded by
the framework, and what is refused is answered by its handlers of exceptions.
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
    """A middleware that answers 200 and JSON by itself: ``answer`` is given the connection and how to read the body."""

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
    """The whole body. Refuses with ``ERR_TOO_LARGE`` what is over the limit of JSON, as soon as that is known."""
    pieces: list[bytes] = []
    size, more = 0, True
    if _length(scope) > body.JSON_LIMIT:
        raise _too_large()
    while more:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal("ERR_CUT_OFF", "The request broke off.")
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(piece)
        if size > body.JSON_LIMIT:
            raise _too_large()
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large() -> Refusal:
    return Refusal("ERR_TOO_LARGE", "The body is larger than this address takes.")


def _length(scope: Scope) -> int:
    """What the client says that the body's is; 0 where it says nothing."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(said) if said.isdigit() else 0
