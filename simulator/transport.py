"""How a phone's messages reach the server, whatever carries them; and over HTTP, one request for each."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec

from simulator.drawing import draw
from simulator.line import Answer, Line, code_of
from simulator.resumable import Unsettled, Uploads
from simulator.wire import (
    Actions,
    ActionsAnswer,
    Attachment,
    Message,
    Positions,
    PositionsAnswer,
    Route,
    body,
    decode_route,
    encode,
)

T = TypeVar("T")

COME_BACK = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""HTTP statuses that say nothing about the message: it is sent again."""
ANSWER_WITHIN_S = 30.0

_positions_answer = msgspec.json.Decoder(PositionsAnswer).decode
_actions_answer = msgspec.json.Decoder(ActionsAnswer).decode


class Unreachable(Exception):
    """Nobody answered, or the answer was to come back later; ``after_s`` is how long the server asked to wait."""

    def __init__(self, why: str, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.after_s = after_s


class Turned(Exception):
    """The server will not have this phone any more: wrong or revoked token."""


Client = Line | httpx.AsyncClient
Answered = dict[int, str]
"""What an answer says: the codes of the items that were refused, by their place; empty when all is stored."""


class Transport(Protocol):
    """One way to the server. ``deliver`` returns once the server acknowledged; raises Unreachable or Turned."""

    async def deliver(self, message: Message) -> Answered:
        """Hand in one message."""

    async def route(self, date: str) -> Route | None:
        """The driver's route of a date; None where it is as it was asked for before, or there is none."""

    async def reset(self) -> None:
        """Drop what is open, as an app does that is killed."""


class TwoDevices:
    """A driver's two devices, each with a token of its own: one takes fixes, the other tells what is done, hands in the
    files, and may take fixes too.
    """

    def __init__(self, fixes: Transport, doings: Transport) -> None:
        self._fixes, self._doings = fixes, doings

    async def deliver(self, message: Message) -> Answered:
        """Hand in one message."""
        first = isinstance(message, Positions) and message.device == 0
        return await (self._fixes if first else self._doings).deliver(message)

    async def route(self, date: str) -> Route | None:
        """As the device shows it on which the driver tells what is done."""
        return await self._doings.route(date)

    async def reset(self) -> None:
        """Both apps are killed."""
        await self._fixes.reset()
        await self._doings.reset()


class Http:
    """Each message is one request, over the phone's own connections: a shared pool is searched through each time."""

    def __init__(self, connect: Callable[[], Client], token: str) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._uploads = Uploads()
        self._version: dict[str, str] = {}
        self._headers = {"Authorization": f"Bearer {token}"}

    async def deliver(self, message: Message) -> Answered:
        """Hand in one message."""
        match message:
            case Positions():
                answer = await self._post("/driver/v1/positions", encode(body(message)))
                if answer.is_success:
                    return refused_positions(_read(_positions_answer, answer.content))
                return dict.fromkeys(range(len(message.positions)), code_of(answer))
            case Actions():
                answer = await self._post("/driver/v1/actions", encode(body(message)))
                if answer.is_success:
                    return refused_actions(_read(_actions_answer, answer.content))
                return dict.fromkeys(range(len(message.actions)), code_of(answer))
            case Attachment():
                answer = await self._attach(message)
                return {} if answer.is_success else {0: code_of(answer)}

    async def route(self, date: str) -> Route | None:
        """The driver's route of a date; None where it is as it was asked for before, or there is none."""
        answer = await self._send("GET", f"/driver/v1/route?date={date}", headers=self._version)
        if answer.status_code == 304 or not answer.is_success:
            return None
        self._version = {"If-None-Match": answer.headers["etag"]} if "etag" in answer.headers else {}
        return _read(decode_route, answer.content).route

    async def reset(self) -> None:
        """Drop what is open, as an app does that is killed."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _post(self, path: str, content: bytes) -> Answer | httpx.Response:
        return await self._send("POST", path, content=content, headers={"Content-Type": "application/json"})

    async def _attach(self, file: Attachment) -> Answer | httpx.Response:
        data = await asyncio.to_thread(draw, file.drawing)
        kind = "image/png" if file.kind == "signature" else "image/jpeg"
        if file.resumable:
            try:
                return await self._uploads.hand_in(self._send, file, data, kind)
            except Unsettled as error:
                raise Unreachable(str(error)) from error
        headers = {"Content-Type": f"multipart/form-data; boundary={file.id}"}
        return await self._send("POST", "/driver/v1/attachments", content=form(file, data, kind), headers=headers)

    async def _send(
        self, method: str, path: str, headers: dict[str, str], content: bytes = b""
    ) -> Answer | httpx.Response:
        if self._client is None:
            self._client = self._connect()
        try:
            answer = await self._client.request(method, path, headers=self._headers | headers, content=content)
        except (httpx.HTTPError, OSError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        if answer.status_code in COME_BACK:
            raise Unreachable(f"HTTP {answer.status_code}", _retry_after(answer))
        if answer.status_code in (401, 403):
            raise Turned(code_of(answer))
        return answer


def form(file: Attachment, data: bytes, media_type: str) -> bytes:
    """A file as multipart, the same bytes every time: its own id is the boundary."""
    fields = {"id": file.id, "kind": file.kind, "orderId": file.orderId, "sha256": hashlib.sha256(data).hexdigest()}
    named = f"{file.kind}-{file.id[:8]}.{media_type.removeprefix('image/')}"
    parts = [f'name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    parts.append(f'name="file"; filename="{named}"\r\nContent-Type: {media_type}\r\n\r\n')
    text = "".join(f"--{file.id}\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
    return text.removesuffix("\r\n").encode() + data + f"\r\n--{file.id}--\r\n".encode()


def phone_client(base_url: str, most: int | None = None) -> Client:
    """What a phone sends HTTP with: its own line of so many connections at most, or where the way leads through a
    proxy, a client that knows them.
    """
    parts = urlsplit(base_url)
    if not near(base_url) and parts.scheme in getproxies() and not proxy_bypass(str(parts.hostname)):
        return http_client(base_url)
    return Line(base_url, _certificates() if parts.scheme == "https" else None, most)


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


def refused_positions(answer: PositionsAnswer) -> Answered:
    return {item.index: item.code for item in answer.rejected}


def refused_actions(answer: ActionsAnswer) -> Answered:
    return {index: item.code or "ERR_UNNAMED" for index, item in enumerate(answer.actions) if not item.success}


def _read(decode: Callable[[bytes], T], content: bytes) -> T:
    """An answer of the expected shape; anything else is as good as none."""
    try:
        return decode(content)
    except msgspec.DecodeError as error:
        raise Unreachable(f"an answer that cannot be read: {error}") from error


def _retry_after(answer: Answer | httpx.Response) -> float:
    try:
        return min(60.0, float(answer.headers.get("retry-after", 0)))
    except ValueError:
        return 0.0
