"""``multipart/form-data`` with one file, as it comes: the file is passed on piece by piece, the fields are small.

The parser is called by hand, as a framework's own turns several kinds of odd form into errors of the server. A name
that the client gives a file is not looked at.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from litestar import Request
from litestar.exceptions import InternalServerException
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from backend.domain.errors import Refusal

FIELD_BYTES = 1024
OVERHEAD_BYTES = 64 * 1024
PARTS = 16


class Form:
    """``async for piece in form.file(…)`` until its end; then ``fields`` are known, and whether a file ``came``."""

    def __init__(self, content_type: str) -> None:
        kind, options = _options(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not 1 <= len(boundary) <= 200:
            raise Refusal(
                "ERR_MALFORMED", "Send multipart/form-data with a boundary in its Content-Type.", "Content-Type"
            )
        self.fields: dict[str, str] = {}
        self.came = False
        self._boundary = boundary
        self._texts: dict[str, bytearray] = {}
        self._part: str | None = None  # whose bytes come next

    async def file(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The bytes of the part ``file``; other parts are fields. Refuses with ``ERR_MALFORMED`` what is no form."""
        try:
            with PushMultipartParser(
                self._boundary, max_segment_count=PARTS, max_header_size=4096, max_header_count=8, strict=True
            ) as parser:
                async for chunk in body:
                    for event in parser.parse(chunk) if chunk else ():
                        if piece := self._take(event):
                            yield piece
        except ParserLimitReached as error:
            raise Refusal("ERR_MALFORMED", f"The form is larger than a form for a file has to be: {error}.") from error
        except (MultipartError, LookupError, TypeError, ValueError) as error:
            raise Refusal("ERR_MALFORMED", f"The body is no multipart form: {error}.") from error
        self._finish()

    def _take(self, event: MultipartSegment | bytes | bytearray | None) -> bytes | None:
        """What the parser found: a part's head, some of its bytes, or its end (None). Gives the bytes of the file."""
        match event:
            case MultipartSegment():
                self._part = event.name or ""
                self._begin(self._part)
            case None:
                self._part = None
            case data if self._part == "file":
                return bytes(data)
            case data if self._part is not None:
                self._add(self._part, data)
        return None

    def _begin(self, name: str) -> None:
        if name == "file":
            if self.came:
                raise Refusal("ERR_INVALID", "One file in one request.", "file")
            self.came = True
        elif name in self._texts:
            raise Refusal("ERR_INVALID", f"The field {name[:40]!r} stands twice in the form.", name[:40])
        else:
            self._texts[name] = bytearray()

    def _add(self, name: str, data: bytes | bytearray) -> None:
        text = self._texts[name]
        text += data
        if len(text) > FIELD_BYTES:
            raise Refusal("ERR_INVALID", f"The field {name[:40]!r} is longer than {FIELD_BYTES} bytes.", name[:40])

    def _finish(self) -> None:
        for name, text in self._texts.items():
            try:
                self.fields[name] = text.decode()
            except UnicodeDecodeError as error:
                raise Refusal("ERR_MALFORMED", f"The field {name[:40]!r} is not UTF-8.", name[:40]) from error


async def pieces(request: Request[Any, Any, Any], most_bytes: int | None = None) -> AsyncIterator[bytes]:
    """The body as it comes, until its end or until the client is gone.

    Refuses with ``ERR_TOO_LARGE`` what says that it is longer than ``most_bytes`` before any of it is read, and what
    turns out to be.
    """
    said = request.headers.get("content-length", "")
    if most_bytes is not None and said.isdecimal() and int(said) > most_bytes:
        raise _too_large(most_bytes)
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if most_bytes is not None and size > most_bytes:
                raise _too_large(most_bytes)
            yield chunk
    except InternalServerException:  # how the framework says that the client is gone
        return


def _too_large(most_bytes: int) -> Refusal:
    return Refusal("ERR_TOO_LARGE", f"This address takes up to {most_bytes} bytes.")


def _options(content_type: str) -> tuple[str, dict[str, str]]:
    try:
        kind, options = parse_options_header(content_type)
    except (MultipartError, ValueError, LookupError):
        return "", {}
    return kind.lower(), dict(options)
