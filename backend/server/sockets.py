"""Websockets whose peer may stall, flood or vanish: each such connection ends by itself, and none holds up an exit."""

import random
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State

from backend.server.answers import problem
from backend.server.gate import Gate

MESSAGE_BYTES = 64 * 1024
MESSAGE_BYTES_AT = {"/driver/v1/ws": 1024 * 1024}
"""A phone sends what it gathered over hours in one message; who watches sends subscriptions. Beyond, close 1009."""
FRAGMENTS = 1024
"""In one message. Each costs memory beside its bytes."""
FRAMES_AT_ONCE, FRAMES_A_SECOND = 3000.0, 500.0
"""Of any kind, also pings, for which no application is asked. Beyond, close 1008: each costs some 10 µs to be read."""
PIECE_BYTES = 16 * 1024
"""What is read at once holds 40,000 of the smallest frames; parsed in pieces, too many are noticed before all are."""
TRY_LATER = 1013
BACKLOG_BYTES = 64 * 1024
"""Written and not yet taken by the peer: what more may be added by ``write``."""
FLOOD_BYTES = 1024 * 1024
"""The same, of pongs: a peer that sends pings and reads nothing is cut off."""
LINGER_SECONDS = 2.0
"""Between our close frame and the cut: to close at once would reset the connection under the close frame."""
FAREWELL_SECONDS = 20.0
"""The same for a peer that is behind, as long as it takes something: why it is sent away comes behind all the rest."""
PING_SECONDS = 20.0
"""Between two pings; and for the answer to each."""
BACK_MS, BACK_WITHIN_MS = 1000, 4000
"""When a peer should come back after a restart: by then the next process serves; and over how long few come back."""
BACK_A_SECOND = 1000
"""Many come back over so long that no more do: one process takes in 1,250 watchers a second, snapshot and all, with
their programs on the same two cores (``benchmarks/watchers.py``)."""


class HardenedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's websocket, whose every end leads to ``abort``: ``close`` alone waits without end for a peer to read.

    An application finds ``write`` in ``scope["extensions"]["codriver.write"]``: ``write(frame) -> bool`` for a frame
    serialised beforehand, which many sockets share. It neither waits nor raises; False: the peer is behind, or gone.
    ``codriver.close`` is ``close(code, reason)``, which does not wait for a peer that is behind either.
    ``codriver.ended`` is ``ended()``: the code that it was closed with so far.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.leaving = False  # our close frame is written; nothing that arrives is looked at any more
        self.idle = False  # the application waits for a message
        self.encode = msgspec.json.encode
        config: Any = self.config
        self.gate: Gate = config.gate
        self.held = 0  # bytes of a message that is not whole
        self.allowance, self.counted_at = FRAMES_AT_ONCE, self.loop.time()

    @property
    def busy(self) -> bool:
        """Whether a message that arrived is still being worked on."""
        return self.handshake_complete and not self.leaving and not (self.idle and self.queue.empty())

    def write(self, frame: bytes) -> bool:
        if not self.handshake_complete or self.close_sent or self.leaving or self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size() > BACKLOG_BYTES:
            return False
        self.transport.write(frame)
        return True

    def close(self, code: int, reason: str) -> None:
        """The close frame goes behind what is still on its way; the application hears of a disconnect."""
        if not self.handshake_complete or self.close_sent or self.leaving or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self._leave(FAREWELL_SECONDS)

    def ended(self) -> int:
        """The close code, whoever closed; 1006 without one, 403 where it was never opened."""
        if self.conn.state is State.CONNECTING:
            return 403
        closes = (self.conn.close_rcvd, self.conn.close_sent)
        first = next(filter(None, closes if self.conn.close_rcvd_then_sent else reversed(closes)), None)
        return int(first.code) if first else 1006

    def announce_restart(self) -> None:
        """Tell the client when to come back, and leave what it sends from now on for its next connection."""
        if not self.handshake_complete or self.close_sent or self.leaving:
            return
        self.read_paused = False  # or the application's next receive would resume reading
        self.transport.pause_reading()
        farewell = self.encode({"type": "drain", "retryInMs": self._back_ms()})
        (self.conn.send_text if self.encode is msgspec.json.encode else self.conn.send_binary)(farewell)
        self.transport.write(b"".join(self.conn.data_to_send()))

    def _back_ms(self) -> int:
        """A moment for this one, among all who are sent away with it."""
        return BACK_MS + random.randint(0, max(BACK_WITHIN_MS, len(self.connections) * 1000 // BACK_A_SECOND))

    def shutdown(self) -> None:
        if self.leaving:
            return
        self.stop_keepalive()
        if self.close_sent:
            self.transport.abort()
        elif self.handshake_complete:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1012})
            self.conn.send_close(1012)
            self._leave()
        else:
            self._reject(HTTPStatus.SERVICE_UNAVAILABLE, "The server restarts.")

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            if self.leaving:
                return
            super().data_received(data[start : start + PIECE_BYTES])
        if not self.leaving and (self.held or self.frames or self.conn.reader.buffer):
            self._hold(len(self.conn.reader.buffer) + sum(map(len, self.frames)))
        if self.conn.handshake_exc is not None and not self.handshake_initiated and not self.leaving:
            # uvicorn waits for more after a handshake that cannot be parsed
            self.handshake_initiated = True
            if self.conn.writes and self.conn.writes[0]:
                self._leave()
            else:
                self._reject(HTTPStatus.BAD_REQUEST, "This is no websocket handshake.")

    def handle_events(self) -> None:
        if count := len(self.conn.events):
            now = self.loop.time()
            self.allowance = min(FRAMES_AT_ONCE, self.allowance + (now - self.counted_at) * FRAMES_A_SECOND) - count
            self.counted_at = now
            if self.allowance < 0:
                self.conn.fail(1008, "too many frames")
                self.handle_parser_exception()
                return
        super().handle_events()

    def _hold(self, now: int) -> None:
        """So many bytes are here of a message that is not whole."""
        if now != self.held:
            before, self.held = self.held, now
            if not self.gate.hold(before, now):
                self.close(TRY_LATER, "more is on its way than there is room for")

    def connection_lost(self, exc: Exception | None) -> None:
        self._hold(0)
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        self.conn.max_message_size = MESSAGE_BYTES_AT.get(event.path.partition("?")[0], MESSAGE_BYTES)
        super().handle_connect(event)
        if not self.handshake_complete:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions["codriver.write"], extensions["codriver.close"] = self.write, self.close
            extensions["codriver.ended"] = self.ended

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= FRAGMENTS:
            self.conn.fail(1009, f"over {FRAGMENTS} fragments")
            self.handle_parser_exception()
        elif not self.leaving:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_utf8(self.frames):
            self.frames = []
            self.conn.fail(1007, "a text message is UTF-8")
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        super().handle_ping()
        if self.transport.get_write_buffer_size() > FLOOD_BYTES:
            self.transport.abort()

    def handle_parser_exception(self) -> None:
        close = self.conn.close_sent
        if close is not None and not self.leaving:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
            self._leave()

    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        if not self.leaving and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1011})
            self.conn.fail(1011, "keepalive ping timeout")
            self._leave()

    async def send(self, message: Any) -> None:
        if self.leaving or self.close_sent or self.transport.is_closing():
            # uvicorn would go on writing to what is closed, and one that sends in a loop never let it notice; an
            # answer that is ready when another task has just said farewell would be told to be a bug
            raise ClientDisconnected
        if message["type"] == "websocket.accept" and (message.get("subprotocol") or "").endswith(".msgpack"):
            self.encode = msgspec.msgpack.encode
        await super().send(message)
        if message["type"] == "websocket.close" and self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    async def receive(self) -> Any:
        self.idle = True
        try:
            return await super().receive()
        finally:
            self.idle = False

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            if not self.leaving:
                self.loop.call_later(LINGER_SECONDS + 1, self.transport.abort)

    def _reject(self, status: HTTPStatus, text: str) -> None:
        self.handshake_complete = self.close_sent = True
        if self.conn.eof_sent:
            self.transport.write(problem(status, "ERR_MALFORMED", text))
        else:
            self.conn.send_response(self.conn.reject(status, text))
        self._leave()

    def _leave(self, patience_s: float = 0.0) -> None:
        """Write what the connection has to say last, drop what still arrives, and cut it off after a while; within
        ``patience_s`` not while the peer takes what is on its way."""
        self.leaving = self.close_sent = True
        self._hold(0)
        self.stop_keepalive()
        if not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.transport.resume_reading()
        self._linger(self.loop.time() + patience_s)

    def _linger(self, until: float) -> None:
        behind = self.transport.get_write_buffer_size()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self._cut_off, behind, until)

    def _cut_off(self, behind: int, until: float) -> None:
        if self.transport.get_write_buffer_size() < behind and self.loop.time() < until:
            self._linger(until)
        else:
            self.transport.abort()


def _is_utf8(frames: list[bytes]) -> bool:
    """Whether the frames are UTF-8 together: a character may be parted. uvicorn would log other text as a bug."""
    data = b"".join(frames)
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
