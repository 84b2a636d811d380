"""How a phone's messages reach the server: over HTTP, or over one websocket (JSON or MessagePack) with files over
HTTP beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from simulator.drawing import draw
from simulator.resumable import Uploads
from simulator.wire import Actions, ActionsAnswer, Attachment, Frame, Message, Positions, PositionsAnswer, body, encode

T = TypeVar("T")

COME_BACK = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""HTTP statuses that say nothing about the message: it is sent again."""
JSON = Subprotocol("codriver.v1.json")
MSGPACK = Subprotocol("codriver.v1.msgpack")
ANSWER_WITHIN_S = 30.0

_positions_answer = msgspec.json.Decoder(PositionsAnswer).decode
_actions_answer = msgspec.json.Decoder(ActionsAnswer).decode
_json_frame = msgspec.json.Decoder(Frame).decode
_msgpack_frame = msgspec.msgpack.Decoder(Frame).decode
_msgpack = msgspec.msgpack.Encoder().encode


class Unreachable(Exception):
    """Nobody answered, or the answer was to come back later; ``after_s`` is how long the server asked to wait."""

    def __init__(self, why: str, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.after_s = after_s


class Turned(Exception):
    """The server will not have this phone any more: wrong or revoked token."""


Answered = dict[int, str]
"""What an answer says: the codes of the items that were refused, by their place; empty when all is stored."""


class Transport(Protocol):
    """One way to the server. ``deliver`` returns once the server acknowledged; raises Unreachable or Turned."""

    async def deliver(self, message: Message) -> Answered:
        """Hand in one message."""

    async def reset(self) -> None:
        """Drop what is open, as an app does that is killed."""


class TwoDevices:
    """A driver's two devices, each with a token of its own: one takes the fixes, the other tells what is done and hands
    in the files.
    """

    def __init__(self, fixes: Transport, doings: Transport) -> None:
        self._fixes, self._doings = fixes, doings

    async def deliver(self, message: Message) -> Answered:
        """Hand in one message."""
        return await (self._fixes if isinstance(message, Positions) else self._doings).deliver(message)

    async def reset(self) -> None:
        """Both apps are killed."""
        await self._fixes.reset()
        await self._doings.reset()


class Http:
    """Each message is one request, over the phone's own connections: a shared pool is searched through each time."""

    def __init__(self, connect: Callable[[], httpx.AsyncClient], token: str) -> None:
        self._connect = connect
        self._client: httpx.AsyncClient | None = None
        self._uploads = Uploads()
        self._headers = {"Authorization": f"Bearer {token}"}

    async def deliver(self, message: Message) -> Answered:
        """Hand in one message."""
        match message:
            case Positions():
                answer = await self._post("/driver/v1/positions", encode(body(message)))
                if answer.is_success:
                    return _refused_positions(_read(_positions_answer, answer.content))
                return dict.fromkeys(range(len(message.positions)), _code(answer))
            case Actions():
                answer = await self._post("/driver/v1/actions", encode(body(message)))
                if answer.is_success:
                    return _refused_actions(_read(_actions_answer, answer.content))
                return dict.fromkeys(range(len(message.actions)), _code(answer))
            case Attachment():
                answer = await self._attach(message)
                return {} if answer.is_success else {0: _code(answer)}

    async def reset(self) -> None:
        """Drop what is open, as an app does that is killed."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _post(self, path: str, content: bytes) -> httpx.Response:
        return await self._send("POST", path, content=content, headers={"Content-Type": "application/json"})

    async def _attach(self, file: Attachment) -> httpx.Response:
        data = await asyncio.to_thread(draw, file.drawing)
        kind = "image/png" if file.kind == "signature" else "image/jpeg"
        if file.resumable:
            return await self._uploads.hand_in(self._send, file, data, kind)
        fields = {"id": file.id, "kind": file.kind, "orderId": file.orderId, "sha256": hashlib.sha256(data).hexdigest()}
        named = f"{file.kind}-{file.id[:8]}.{kind.removeprefix('image/')}"
        return await self._send(
            "POST",
            "/driver/v1/attachments",
            data=fields,
            files={"file": (named, data, kind)},
            # A boundary of the file's own keeps the request the same for the same seed.
            headers={"Content-Type": f"multipart/form-data; boundary={file.id}"},
        )

    async def _send(self, method: str, path: str, headers: dict[str, str], **request: Any) -> httpx.Response:
        if self._client is None:
            self._client = self._connect()
        try:
            answer = await self._client.request(method, path, headers=self._headers | headers, **request)
        except httpx.HTTPError as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        if answer.status_code in COME_BACK:
            raise Unreachable(f"HTTP {answer.status_code}", _retry_after(answer))
        if answer.status_code in (401, 403):
            raise Turned(_code(answer))
        return answer


class Socket:
    """One websocket, opened when something is to be sent; acknowledgements find their message by its id, in any
    order.
    """

    def __init__(self, connect: Callable[[], httpx.AsyncClient], base_url: str, token: str, packed: bool) -> None:
        self._files = Http(connect, token)
        self._url = websocket_url(base_url, "/driver/v1/ws")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._packed = packed
        self._opening = asyncio.Lock()
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[Frame]] = {}
        self._times = 0

    async def deliver(self, message: Message) -> Answered:
        """Hand in one message."""
        if isinstance(message, Attachment):
            return await self._files.deliver(message)
        socket = await self._open()
        self._times += 1
        name = f"{message.n}.{self._times}"
        answer = self._waiting[name] = asyncio.get_running_loop().create_future()
        frame = {"type": "positions" if isinstance(message, Positions) else "actions", "id": name, **body(message)}
        try:
            await socket.send(_msgpack(frame) if self._packed else encode(frame).decode())
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return _answered(await answer, message)
        except (WebSocketException, OSError, TimeoutError) as error:
            if self._socket in (socket, None):
                self._drop()
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        finally:
            self._waiting.pop(name, None)

    async def reset(self) -> None:
        """Drop everything without a word, as an app does that is killed."""
        self._drop()
        await self._files.reset()

    def _drop(self) -> None:
        socket, self._socket = self._socket, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
        if socket is not None:
            socket.transport.abort()
        self._fail("connection dropped")

    async def _open(self) -> ClientConnection:
        async with self._opening:
            if self._socket is None:
                try:
                    self._socket = await connect(
                        self._url,
                        additional_headers=self._headers,
                        subprotocols=[MSGPACK if self._packed else JSON],
                        compression=None,
                        proxy=None if near(self._url) else True,
                        max_size=2**20,
                        open_timeout=ANSWER_WITHIN_S,
                    )
                except InvalidStatus as refused:
                    if refused.response.status_code in (401, 403):
                        raise Turned(f"HTTP {refused.response.status_code}") from refused
                    raise Unreachable(f"HTTP {refused.response.status_code}") from refused
                except (WebSocketException, OSError, TimeoutError) as error:
                    raise Unreachable(f"{type(error).__name__}: {error}") from error
                self._reader = asyncio.create_task(self._read(self._socket))
            return self._socket

    async def _read(self, socket: ClientConnection) -> None:
        """Sort what comes down until the connection ends; then nobody waits for it any longer."""
        try:
            async for data in socket:
                frame = _json_frame(data) if isinstance(data, str) else _msgpack_frame(data)
                if isinstance(frame.id, str) and (waiting := self._waiting.get(frame.id)) and not waiting.done():
                    waiting.set_result(frame)
        except (WebSocketException, OSError, msgspec.DecodeError):
            socket.transport.abort()
        finally:
            if self._socket is socket:
                self._socket = None
                self._fail(f"closed {socket.close_code}")

    def _fail(self, why: str) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError(why))


def http_client(base_url: str) -> httpx.AsyncClient:
    """A client of few connections; what is on this machine is reached directly, whatever proxy is set."""
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)
    return httpx.AsyncClient(
        base_url=base_url, timeout=ANSWER_WITHIN_S, limits=limits, trust_env=not near(base_url), verify=_certificates()
    )


@cache
def _certificates() -> ssl.SSLContext:
    """Made once: it reads every authority from disk."""
    return httpx.create_ssl_context()


def near(url: str) -> bool:
    """Whether an address is this machine's own."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def websocket_url(base_url: str, path: str) -> str:
    """The address of a websocket beside an HTTP address."""
    parts = urlsplit(base_url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + path, "", ""))


def _answered(frame: Frame, message: Positions | Actions) -> Answered:
    """What a frame says about the message it answers."""
    if frame.type == "error":
        code = frame.code if isinstance(frame.code, str) else "ERR_UNNAMED"
        if code in ("ERR_UNAVAILABLE", "ERR_INTERNAL", "ERR_TOO_MANY_REQUESTS", "ERR_BUSY"):
            raise ConnectionError(code)
        return dict.fromkeys(range(len(message.positions if isinstance(message, Positions) else message.actions)), code)
    if isinstance(message, Positions):
        refused = frame.rejected if isinstance(frame.rejected, tuple) else ()
        return {item.index: item.code for item in refused}
    return _refused_actions(ActionsAnswer(frame.actions if isinstance(frame.actions, tuple) else ()))


def _refused_positions(answer: PositionsAnswer) -> Answered:
    return {item.index: item.code for item in answer.rejected}


def _refused_actions(answer: ActionsAnswer) -> Answered:
    return {index: item.code or "ERR_UNNAMED" for index, item in enumerate(answer.actions) if not item.success}


def _read(decode: Callable[[bytes], T], content: bytes) -> T:
    """An answer of the expected shape; anything else is as good as none."""
    try:
        return decode(content)
    except msgspec.DecodeError as error:
        raise Unreachable(f"an answer that cannot be read: {error}") from error


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"


def _retry_after(answer: httpx.Response) -> float:
    try:
        return min(60.0, float(answer.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
