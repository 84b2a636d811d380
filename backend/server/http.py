"""HTTP/1.1 with a size and a deadline for the head, a deadline for the body that grows with what has arrived, and a
gate between the two.
"""

import asyncio
from enum import Enum
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from backend.server.answers import problem
from backend.server.gate import Gate
from backend.server.requests import ARRIVING, COUNTED
from backend.server.spelling import spelt

HEAD_BYTES = 64 * 1024
"""Request line and headers together; beyond, 431."""
HEAD_SECONDS = 10.0
"""From the first byte of a head, or from the connection, to the end of the head."""
BODY_SECONDS = 20.0
"""For any body; and a second more for each ``BODY_BYTES_A_SECOND`` that came: phones may be slow, but they move."""
BODY_BYTES_A_SECOND = 1024
DROPPED_BYTES = 256 * 1024
"""A body of up to so much is read and dropped where its request is turned away; a larger one ends the connection."""
UNREAD_BYTES = 64 * 1024
"""Answers to requests that were turned away, which the client did not take; beyond, the connection ends."""
BEHIND_ONE_ANOTHER = 100
"""Requests on one connection that wait for the answer of the one before. Each is kept; beyond, no more are read."""
PIECES, PIECE_BYTES = 1000, 64
"""A body in more pieces than that is refused where they are smaller on the average: each costs some microseconds."""
LINGER_SECONDS = 2.0
"""How long what follows a refusal is read and dropped: closing at once would reset the connection under the answer."""
_OF_A_BODY = (b"content-length", b"transfer-encoding")


class Stage(Enum):
    IDLE = "between two requests"
    HEAD = "a head is arriving"
    BODY = "a body is arriving"


class HardenedHttp(HttpToolsProtocol):
    """uvicorn's protocol on httptools. Timers are set only for requests that do not arrive in one piece."""

    scope: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        config: Any = self.config
        self.gate: Gate = config.gate
        self.stage = Stage.HEAD
        self.leaving = False  # nothing that arrives is looked at any more
        self.head_bytes = 0  # of the fields that are complete
        self.fed_bytes = 0  # of this stage, as they came, after the chunk that it began in
        self.began_here = False  # in the chunk at hand
        self.body_bytes = self.pieces = 0
        self.named = False  # the host
        self.held = 0  # of the body, while it is not whole, in memory
        self.running: Any = None  # the request that the application works on, or worked on last
        self.dropping = False  # the body of a request that was turned away
        self.resting = self.owed = False  # it is not read for a while; it was turned away and not told so yet
        self.stage_began = self.loop.time()
        self.deadline: asyncio.TimerHandle | None = None

    @property
    def quiet(self) -> bool:
        """Whether there is no request, nor a part of one."""
        begun = self.stage is Stage.BODY or self._answering() or (self.stage is Stage.HEAD and self.fed_bytes > 0)
        return not (begun or self.leaving or self.owed)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._enter(Stage.HEAD)
        self._watch(0)

    def connection_lost(self, exc: Exception | None) -> None:
        self.leaving = True
        self._disarm()
        self._hold(0)
        # uvicorn leaves this timer running after a reset, and with it all that the connection holds; and of requests
        # behind one another it tells only the last that nobody hears its answer
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        if self.running is not None:
            self.running.disconnected = True
            self.running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.leaving:
            return
        begins = self.stage is Stage.IDLE or (self.stage is Stage.HEAD and self.fed_bytes == self.head_bytes == 0)
        if begins and data.startswith(self.gate.starts) and not self._answering() and self.gate.refuses_whole(data):
            self.stage_began = self.loop.time()
            self._rest()
            return
        super().data_received(spelt(data, HEAD_BYTES) if begins else data)
        if not self.leaving:
            self._watch(len(data))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, partial(_to_the_end, cycle, app))

    def eof_received(self) -> Any:
        """True: who has sent all and only closed its own side still gets its answer."""
        waits = not self.leaving and self.stage is Stage.IDLE and self._answering()
        if waits:
            self._answer_and_close()
        return waits

    def handle_websocket_upgrade(self) -> None:
        if self.leaving:
            return
        if self._answering():
            self._answer_and_close()  # frames would go out before that answer
        elif self.scope["method"] != "GET" or any(name in _OF_A_BODY for name, _ in self.headers):
            self.refuse(400, "ERR_MALFORMED", "A websocket is opened by a GET without a body.")
        else:
            self.leaving = True
            self._disarm()
            self.flow.resume_reading()  # also where the request before it was turned away
            super().handle_websocket_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """The parser reads no further behind a request to speak something else, which is answered as if it had not."""
        if not self.leaving:
            self._answer_and_close()

    def _answer_and_close(self) -> None:
        """Read no more; what was read is answered."""
        self._pay()
        self.leaving = True
        self._disarm()
        if self._answering():
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        if not self.leaving:
            self.refuse(400, "ERR_MALFORMED", msg)

    def shutdown(self) -> None:
        self._pay()
        super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        left = self.stage_began + self.timeout_keep_alive - self.loop.time()
        if self.owed or (left > 0.1 and self.quiet):  # it was turned away meanwhile
            self.timeout_keep_alive_task = self.loop.call_later(max(left, 0.1), self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    # The parser's callbacks, which may still come for the rest of a chunk after a refusal

    def on_message_begin(self) -> None:
        self._pay()
        if not self.leaving:
            self._enter(Stage.HEAD)
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self.leaving:
            self.head_bytes += len(url)
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.leaving:
            return
        self.head_bytes += len(name) + len(value) + 4
        if self.head_bytes > HEAD_BYTES:
            self._refuse_head()
            return
        super().on_header(name, value)
        if len(name) == 4 and self.headers[-1][0] == b"host":
            if self.named:
                self.refuse(400, "ERR_MALFORMED", "A request names its host once.")
            self.named = True

    def on_headers_complete(self) -> None:
        if self.leaving:
            return
        # One behind another that is not yet answered is left to the application, so that answers keep their order
        admitted = None if self._answering() or self.parser.should_upgrade() else self.gate.admits(self.url)
        if admitted is False:
            self._turn_away()
            return
        if admitted:
            self.scope[COUNTED] = self.gate.inflow
        self._enter(Stage.BODY)
        super().on_headers_complete()
        if self.expect_100_continue:
            self.cycle.keep_alive = False  # refused before it was asked for the body, it may send that or not
        if len(self.pipeline) > BEHIND_ONE_ANOTHER:
            self._answer_and_close()

    def on_body(self, body: bytes) -> None:
        if self.leaving:
            return
        self.body_bytes += len(body)
        self.pieces += 1
        if self.pieces > PIECES and self.body_bytes < PIECE_BYTES * self.pieces:
            self.refuse(400, "ERR_MALFORMED", "The body comes in too small chunks.")
            return
        if not self.dropping:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.leaving:
            return
        self._enter(Stage.IDLE)
        if self.dropping:
            self.dropping = False
            return
        if (inflow := self.scope.pop(ARRIVING, None)) is not None:
            inflow.under_way += 1
            self.scope[COUNTED] = inflow
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._hold(0)
        super().on_response_complete()

    # The gate

    def _turn_away(self) -> None:
        """What of the body is on its way is dropped, where that is soon done."""
        if self._soon_over():
            self.dropping = True
            self._enter(Stage.BODY)
            self._rest()
        else:
            self.end(self.gate.answer(close=True))

    def _rest(self) -> None:
        """Read no more until it is time for the answer."""
        self._pay()
        self.owed = True
        self.flow.pause_reading()
        if not self.resting:
            self.resting = True
            self.gate.rest(self)

    def wake(self) -> None:
        """The answer, and read on, unless a request behind it is being answered, after which it is read on."""
        self.resting = False
        self._pay()
        if not (self.leaving or self._answering() or self.transport.is_closing()):
            self.flow.resume_reading()

    def _pay(self) -> None:
        """Whoever sends one request behind another has the answer to the first before anything comes of the second."""
        if not self.owed:
            return
        self.owed = False
        transport = self.transport
        if transport.is_closing():
            return
        transport.write(self.gate.answer(close=False))
        if transport.get_write_buffer_size() > UNREAD_BYTES:
            self.leaving = True
            transport.abort()

    def _soon_over(self) -> bool:
        if self.expect_100_continue or not self.parser.should_keep_alive():
            return False  # who asked before sending may send it or not
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        return length.isdigit() and len(length) < 10 and int(length) <= DROPPED_BYTES

    def _hold(self, now: int) -> None:
        if now != self.held:
            before, self.held = self.held, now
            if not self.gate.hold(before, now):
                self._hold(0)
                self.end(self.gate.answer(close=True))

    # Deadlines

    def _enter(self, stage: Stage) -> None:
        self._disarm()
        self.stage = stage
        self.stage_began = self.loop.time()
        self.began_here = True
        self.fed_bytes = self.body_bytes = self.pieces = 0
        if stage is Stage.HEAD:
            self.head_bytes = 0
            self.named = False

    def _watch(self, fed: int) -> None:
        """After a chunk of ``fed`` bytes: what is unfinished gets a deadline, what is too much is refused."""
        if self.stage is Stage.IDLE:
            # Blank lines between two requests begin no head, but stopped the keep-alive timer
            if self._answering() or self.timeout_keep_alive_task is not None or self.transport.is_closing():
                return
            self._enter(Stage.HEAD)
        self.fed_bytes += 0 if self.began_here else fed
        self.began_here = False
        if self.stage is Stage.HEAD and self.fed_bytes > HEAD_BYTES:
            self._refuse_head()
            return
        if self.stage is Stage.BODY:
            if self.fed_bytes > HEAD_BYTES + 16 * self.body_bytes:
                self.refuse(400, "ERR_MALFORMED", "The body is all framing and no content.")
                return
            if (inflow := self.scope.pop(COUNTED, None)) is not None:
                # Phones whose bodies trickle would else keep out all others, while there is nothing to do
                inflow.under_way -= 1
                self.scope[ARRIVING] = inflow
            if self._answering() and not self.url.startswith(self.gate.streamed):
                self._hold(self.body_bytes)
        if self.deadline is None and not self.leaving:
            self._arm(HEAD_SECONDS if self.stage is Stage.HEAD else BODY_SECONDS)

    def _arm(self, seconds: float) -> None:
        self.deadline = self.loop.call_later(seconds, self._overdue)

    def _disarm(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _overdue(self) -> None:
        self.deadline = None
        if self.flow.read_paused or (self.stage is Stage.HEAD and self._answering()):
            self.stage_began = self.loop.time()  # it is we who are not reading, or not yet done with the request before
            self._arm(HEAD_SECONDS)
            return
        if self.stage is Stage.BODY:
            due = self.stage_began + BODY_SECONDS + self.body_bytes / BODY_BYTES_A_SECOND
            if (left := due - self.loop.time()) > 0:
                self._arm(left)
                return
        if self.stage is Stage.HEAD and self.fed_bytes == self.head_bytes == 0:
            if (left := self.stage_began + HEAD_SECONDS - self.loop.time()) > 0:  # it was turned away meanwhile
                self._arm(left)
                return
            self.leaving = True
            self.transport.close()
        else:
            self.refuse(408, "ERR_TOO_SLOW", f"The {self.stage.name.lower()} of the request did not arrive in time.")

    # Refusals

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse_head(self) -> None:
        self.refuse(431, "ERR_HEADERS_TOO_LARGE", f"Request line and headers may hold {HEAD_BYTES} bytes together.")

    def refuse(self, status: int, code: str, detail: str) -> None:
        """Answer in the application's place, where no answer is under way, and take leave of the client."""
        self.end(problem(status, code, detail))

    def end(self, answer: bytes) -> None:
        """Answer so in the application's place, and read what still comes without looking at it, for a while."""
        self.leaving = True
        self._disarm()
        self._unset_keepalive_if_required()
        if self.pipeline:
            self.transport.abort()
            return
        cycle = self.cycle
        if self._answering() and (cycle.response_started or not cycle.more_body):
            cycle.keep_alive = False  # an earlier request, whose answer is written first and closes the connection
            return
        if self._answering():
            cycle.disconnected = True
            cycle.message_event.set()
            self._hold(0)
        if (cycle is None or not cycle.more_body or cycle.disconnected) and not self.dropping:
            self.transport.write(answer)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)


async def _to_the_end(cycle: Any, app: Any, scope: Any, receive: Any, send: Any) -> None:
    """An application that returns amid its answer has told why; the client notices that it is not whole."""
    await app(scope, receive, send)
    if cycle.response_started and not (cycle.response_complete or cycle.disconnected):
        cycle.disconnected = True
        cycle.transport.close()
