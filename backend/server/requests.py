"""What is told of each request: its line in the log, and the name by which it is found there."""

import asyncio
import logging
import random
import re
import time
from typing import Any

from backend.domain.errors import Refusal
from backend.server.logs import request_id

SLOW_SECONDS = 1.0
"""A request that took longer is logged."""
HEADER = b"x-request-id"
COUNTED, ARRIVING = "codriver.counted", "codriver.arriving"
"""In a request's scope the gate's ``Inflow``: it is under way there, or will be when its body is whole."""
_given = re.compile(rb"[A-Za-z0-9._:-]{8,64}").fullmatch

log = logging.getLogger("codriver.server")


class LoggedRequests:
    """One line for each request that was refused, failed or slow, and for each websocket that was refused or sent away;
    for all of them at level DEBUG. A websocket has the code that it was closed with for a status, or 403 where it was
    not accepted.

    A line shows the route's pattern and never the path: paths hold tracking codes, queries hold keys. A request is
    named by the proxy's ``X-Request-Id`` or by one of ours, which its answer and all that is logged for it carry.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        named = _named(scope)
        request_id.set(named)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._request(named, scope, receive, send)

    async def _request(self, named: str, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        status = 0

        async def noting(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (HEADER, named.encode())]}
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            refusal = refusal_in(error)
            if not status or refusal is None:
                raise
            # It is too late to tell the client, but for cutting off what it reads, which the server does
            log.warning("an answer broke off amid %s %s: %s", scope["method"], _route(scope), refusal)
        finally:
            scope.pop(ARRIVING, None)
            if (inflow := scope.pop(COUNTED, None)) is not None:
                inflow.under_way -= 1
            seconds = time.perf_counter() - began
            _tell(scope["method"], scope, status, seconds, worth=status >= 400 or seconds > SLOW_SECONDS)

    async def _websocket(self, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            log.debug("a websocket was cut off as the server ends")  # which uvicorn would tell as a bug of ours
        finally:
            status = scope["extensions"]["codriver.ended"]()
            ours = status == 403 or status >= 4000 or status in _OUR_REFUSALS
            _tell("WEBSOCKET", scope, status, time.perf_counter() - began, worth=ours)


_OUR_REFUSALS = (1003, 1007, 1008, 1009)  # 1002 and 1011 are how phones and proxies vanish


def _tell(method: str, scope: Any, status: int, seconds: float, *, worth: bool) -> None:
    level = logging.INFO if worth else logging.DEBUG
    if log.isEnabledFor(level):
        route, took = _route(scope), round(seconds * 1000, 1)
        client = scope["client"][0] if scope.get("client") else "nowhere"
        fields = {"method": method, "route": route, "status": status, "milliseconds": took, "client": client}
        text = (method, route, status or "unanswered", took, client)
        log.log(level, "%s %s %s %.1f ms from %s", *text, extra={"fields": fields})


def refusal_in(error: BaseException | None) -> Refusal | None:
    """What was refused, where that is what an error came of: in groups, and behind what a framework made of it."""
    match error:
        case Refusal() | None:
            return error
        case BaseExceptionGroup():
            return next(filter(None, map(refusal_in, error.exceptions)), None)
    return refusal_in(error.__cause__)


def _route(scope: Any) -> str:
    return scope.get("path_template") or "(no route)"


def _named(scope: Any) -> str:
    for name, value in scope["headers"]:
        if name == HEADER:
            return value.decode() if _given(value) else _new_name()
    return _new_name()


def _new_name() -> str:
    """Not a secret: to get one from the system, the loop would let go of the interpreter and have to ask it back."""
    return f"{random.getrandbits(64):016x}"
