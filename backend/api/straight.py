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
                return await _body(receive)

            content = await answer(ASGIConnection(scope), read)
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": content, "more_body": False})

        return call

    return around


async def _body(receive: Receive) -> bytes:
    """The whole body. Refuses with ``ERR_TOO_LARGE`` what is over the limit of JSON, as soon as it is."""
    pieces = []
    size = 0
    more = True
    while more:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal("ERR_CUT_OFF", "The request broke off.")
        piece = message.get("body", b"")
        size += len(piece)
        if size > body.JSON_LIMIT:
            raise Refusal("ERR_TOO_LARGE", "The body is larger than this address takes.")
        pieces.append(piece)
        more = message.get("more_body", False)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
