"""Signed links to photos, signatures and documents: each for one file, and valid for five to seven days."""

import hashlib
import hmac
import re
from collections.abc import AsyncIterator

import msgspec

from backend.domain.errors import Refusal
from backend.service.desk import Desk

DAY_S = 86_400
# The end of a link's life is rounded up to a whole day, so that the same file has the same link for a day (caches
# and polling clients like that): never under five days, never over seven.
LIFE_S = 6 * DAY_S


class File(msgspec.Struct, frozen=True):
    """What a link stands for. ``plain`` files come without the EXIF data that tells where a photo was taken."""

    account_id: str
    sha256: str
    type: str
    plain: bool


_LINK = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})\.([a-z0-9+.-]{1,20})\.(o|c)\.(\d{1,12})\.([0-9a-f]{64})", re.ASCII)
_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "heic": "image/heic",
    "pdf": "application/pdf",
}
_NAMES = {type_: name for name, type_ in _TYPES.items()}


def file_url(desk: Desk, account_id: str, sha256: str, type_: str, *, plain: bool = False) -> str:
    """A link under the public address. ``plain`` for eyes outside the company: location data is taken out."""
    ends_s = (int(desk.clock.now_s()) + LIFE_S) // DAY_S * DAY_S
    name = f"{account_id}.{sha256}.{_NAMES[type_]}.{'c' if plain else 'o'}.{ends_s}"
    return f"{desk.public_url}/files/{name}.{_seal(desk, name)}"


def open_link(desk: Desk, link: str) -> File:
    """The file that a link stands for. Refuses what was altered or is over with ``ERR_LINK``, without saying which."""
    match = _LINK.fullmatch(link)
    refusal = Refusal("ERR_LINK", "This link is not valid, or no longer; ask for a new one.")
    if match is None:
        raise refusal
    name = link[: -len(match[6]) - 1]
    if (
        not hmac.compare_digest(_seal(desk, name), match[6])
        or int(match[5]) <= desk.clock.now_s()
        or match[3] not in _TYPES
    ):
        raise refusal
    return File(match[1], match[2], _TYPES[match[3]], match[4] == "c")


async def content(desk: Desk, file: File) -> tuple[int, AsyncIterator[bytes]]:
    """Its size and its bytes. Refuses with ``ERR_NOT_FOUND`` what is no longer kept."""
    from backend.store import pictures

    if file.plain and file.type != "application/pdf":
        whole = b"".join([piece async for piece in (await desk.media.read(file.sha256))[1]])
        stripped = await desk.media.on_disk(pictures.without_location, whole, file.type)
        return len(stripped), _once(stripped)
    return await desk.media.read(file.sha256)


async def _once(whole: bytes) -> AsyncIterator[bytes]:
    yield whole


def _seal(desk: Desk, name: str) -> str:
    return hmac.new(desk.secret, b"file:" + name.encode(), hashlib.sha256).hexdigest()
