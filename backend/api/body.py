"""Decoding requests and encoding answers, for all of our own APIs: strict JSON, and errors that say where."""

import re
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request, Response

from backend.api.choices import choices
from backend.domain.errors import Refusal
from backend.domain.events import NO_NUL, UUID

T = TypeVar("T")

PAGING = {
    "limit": "Items in one answer, 1 to 500; 100 by default.",
    "cursor": "The cursor of the last answer, for the next page.",
}


class Items(msgspec.Struct, Generic[T], frozen=True):
    """A whole list."""

    items: list[T]


class Page(msgspec.Struct, Generic[T], frozen=True, omit_defaults=True):
    """One page of a list. ``cursor`` asks for the next page, and is absent on the last one."""

    items: list[T]
    cursor: str | None = None


JSON_LIMIT = 10 * 1024 * 1024
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # not behind a backslash that is itself escaped
_anything = msgspec.json.Decoder(msgspec.Raw)
_PLACED = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
# A "$" alone lets one more end of line pass, with which no calendar could read the text.
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)"
MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$(?!\n)"
# What each pattern means, for error messages.
_MEANT = {
    CLOCK: "a time of day from 00:00 to 23:59, with two digits each",
    MOMENT: "a date and time such as 2020-01-30T15:54:02",
    UUID: "a UUID",
    NO_NUL: "a text without the character NUL",
}


async def read(request: Request[Any, Any, Any], decoder: "msgspec.json.Decoder[T]") -> T:
    """Decode the body with ``decoder``.

    Refuses with ``ERR_MALFORMED`` what is not JSON in UTF-8 or is nested too deeply, and with ``ERR_INVALID`` JSON of
    another shape, naming the place.
    """
    return decode(await request.body(), decoder)


def decode(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """As ``read``, for a body that is in memory already."""
    try:
        check_text(body)
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        check(body)
        raise misfit(error, decoder.type) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(error) from error
    if b"\\u0000" in body and _NUL.search(body):
        raise Refusal("ERR_INVALID", "A text holds the character NUL (\\u0000), which cannot be stored.")
    return value


def check(body: bytes) -> None:
    """Refuse with ``ERR_MALFORMED`` what is not JSON to its end: decoders stop at the first thing that does not fit."""
    try:
        _anything.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(error) from error


def check_text(body: bytes) -> None:
    """Raises where the bytes are not UTF-8, also in fields that decoders skip; most are ASCII, which is quick."""
    if not body.isascii():
        body.decode()


def misfit(error: msgspec.ValidationError, kind: Any) -> Refusal:
    """The refusal of JSON that does not have the expected shape ``kind``."""
    text = spoken(error, kind)
    placed = _PLACED.fullmatch(text)
    return Refusal("ERR_INVALID", f"{placed[1]}.", placed[2] or None) if placed else Refusal("ERR_INVALID", f"{text}.")


def spoken(error: msgspec.ValidationError, kind: Any) -> str:
    """The decoder's error message, with the meaning of a pattern in place of the pattern, and the values of an enum."""
    text = str(error)
    if between := choices(error, kind):
        what, at, where = text.rpartition(" - at ")
        text = f"{what}, expected one of {', '.join(between)}{at}{where}"
    for pattern, meaning in _MEANT.items():
        text = text.replace(f"`str` matching regex {pattern!r}", meaning)
    return text


def malformed(error: Exception) -> Refusal:
    """The refusal of bytes that are not JSON."""
    if isinstance(error, RecursionError):
        return Refusal("ERR_MALFORMED", "The JSON is nested too deeply.")
    if isinstance(error, UnicodeDecodeError):
        return Refusal("ERR_MALFORMED", "The body is not UTF-8.")
    return Refusal("ERR_MALFORMED", f"The body is not JSON: {error}.")


def reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """An answer in JSON."""
    return Response(msgspec.json.encode(value), status_code=status, headers=headers, media_type="application/json")


def number(request: Request[Any, Any, Any], name: str, default: int, least: int, most: int) -> int:
    """An integer parameter of the query. Refuses with ``ERR_INVALID`` what is no integer, or out of bounds."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not re.fullmatch(r"\d{1,9}", given, re.ASCII) or not least <= int(given) <= most:
        raise Refusal("ERR_INVALID", f"{name} takes a whole number from {least} to {most}.", name)
    return int(given)


def page(items: Sequence[T], limit: int, cursor: str) -> Page[T]:
    """A page of up to ``limit`` of the ``limit + 1`` items that were read; ``cursor`` is in it where there are more."""
    return Page(list(items[:limit]), cursor if len(items) > limit else None)
