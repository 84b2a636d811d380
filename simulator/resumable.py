"""Files handed in piece by piece, by the tus protocol 1.0.0 (creation, checksum): a cut upload goes on where it was."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

from simulator.line import Answer, code_of
from simulator.wire import Attachment

PIECE_BYTES = 16 * 1024
TRIES = 6
GONE = frozenset({404, 410})
ASTRAY = frozenset({409, 423, 460})
"""The piece did not fit: another offset, another request under way, a checksum that does not agree."""
LAST_WORDS = frozenset({"ERR_ORDER_NOT_FOUND", "ERR_ATTACHMENT_ID_REUSED"})
"""Codes that refuse the file itself, by statuses that otherwise say that the upload is gone or astray."""

Send = Callable[..., Awaitable[Any]]
"""``send(method, path, content=, headers=)``: one request of the phone; raises where nobody answers."""


class Unsettled(Exception):
    """It came to nothing as often as a phone tries at once, which says nothing of the file: of two machines, say, each
    may have been asked for what the other one holds."""


class Uploads:
    """The uploads of one phone. Where each one lives is kept, so that the next try asks how far it came."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}

    async def hand_in(self, send: Send, file: Attachment, data: bytes, media_type: str) -> Answer:
        """Bring a file to its end; the last answer, which is a success once the server holds all of it. Raises
        ``Unsettled`` where it is to be tried again later."""
        for _ in range(TRIES):
            answer = await self._go_on(send, file, data, media_type)
            if file.id not in self._places or answer.status_code not in GONE | ASTRAY or code_of(answer) in LAST_WORDS:
                return answer
            if answer.status_code in GONE:
                del self._places[file.id]
        raise Unsettled(f"HTTP {answer.status_code} to an upload, {TRIES} times")

    async def _go_on(self, send: Send, file: Attachment, data: bytes, media_type: str) -> Answer:
        place = self._places.get(file.id)
        if place is None:
            answer = await send("POST", "/driver/v1/uploads", headers=_tus() | _creation(file, data, media_type))
            if not answer.is_success:
                return answer
            if "location" not in answer.headers:
                raise Unsettled("an upload was made, and where it is was not told")
            place = self._places[file.id] = answer.headers["location"]
        else:
            answer = await send("HEAD", place, headers=_tus())
        held = -1
        while answer.is_success and (offset := _offset(answer)) < len(data):
            if offset <= held:
                raise Unsettled(f"an upload was at byte {offset} before and after a piece that was taken")
            held, piece = offset, data[offset : offset + PIECE_BYTES]
            answer = await send("PATCH", place, content=piece, headers=_tus() | _piece(offset, piece))
        return answer


def _offset(answer: Answer) -> int:
    """How far an upload is; it has just begun where nothing is told."""
    told = answer.headers.get("upload-offset", "0")
    if not told.isdecimal():
        raise Unsettled(f"an upload is at {told!r}")
    return int(told)


def _tus() -> dict[str, str]:
    return {"Tus-Resumable": "1.0.0"}


def _creation(file: Attachment, data: bytes, media_type: str) -> dict[str, str]:
    known = {"id": file.id, "kind": file.kind, "orderId": file.orderId, "filetype": media_type}
    pairs = ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in known.items())
    return {"Upload-Length": str(len(data)), "Upload-Metadata": pairs}


def _piece(offset: int, piece: bytes) -> dict[str, str]:
    return {
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
        "Upload-Checksum": f"sha256 {b64encode(hashlib.sha256(piece).digest()).decode()}",
    }
