"""What clients write otherwise than the parser takes it, and mean no harm by."""

import re

_UPGRADE = re.compile(rb"(\r\n)Upgrade:(?![ \t]*websocket)", re.IGNORECASE)
"""Java's client asks for HTTP/2 in this way with each request, also one with a body, of which the parser reads none."""


def spelt(data: bytes, most: int) -> bytes:
    """The beginning of a request as the parser takes it. ``most``: how long its head may be."""
    if not data.isascii():
        data = _quoted(data, most)
    end = data.find(b"\r\n\r\n", 0, most)
    if data.find(b"grade:", 0, most if end < 0 else end) >= 0:
        head = data if end < 0 else data[:end]
        data = _UPGRADE.sub(rb"\1X-Upgrade:", head) + data[len(head) :]
    return data


def _quoted(data: bytes, most: int) -> bytes:
    """The same with the letters beyond ASCII of its first line quoted, as they should be in an address.

    curl sends an address as it was typed, and the parser takes no such letters.
    """
    line, end, rest = data.partition(b"\r\n")
    if line.isascii() or len(line) > most:
        return data
    return b"".join(b"%c" % byte if byte < 0x80 else b"%%%02X" % byte for byte in line) + end + rest
