"""The type of a file by its content, and copies of pictures without the place where they were taken.

``examine`` decodes and so belongs in the examiner's process. ``without_location`` decodes nothing: it copies the parts
of the file that make the picture and leaves out the rest, so the picture is the same to the last pixel.
"""

import re
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from backend.domain.errors import Refusal

MOST_PIXELS = 50_000_000
JPEG, PNG, WEBP, HEIC, PDF = "image/jpeg", "image/png", "image/webp", "image/heic", "application/pdf"
_FORMATS = {JPEG: "JPEG", PNG: "PNG", WEBP: "WEBP", HEIC: "HEIF"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}


def type_of(start: bytes) -> str | None:
    """The media type by the first 64 bytes or more; None for all that is not accepted."""
    if start.startswith(b"\xff\xd8\xff"):
        return JPEG
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return WEBP
    if start[4:8] == b"ftyp":
        brands = {start[at : at + 4] for at in (8, *range(16, min(int.from_bytes(start[:4]), len(start)), 4))}
        return HEIC if brands & _HEIC_BRANDS else None
    return PDF if start.startswith(b"%PDF-") else None


def examine(path: Path) -> str:
    """The media type of a sound file. Refuses with ``ERR_FILE_INVALID`` another type, a damaged or a giant picture."""
    with path.open("rb") as file:
        found = type_of(file.read(256))
    match found:
        case None:
            raise _invalid("The file is no JPEG, PNG, WebP or HEIC picture and no PDF.")
        case "application/pdf":
            if b"%%EOF" not in path.read_bytes()[-2048:]:
                raise _invalid("The PDF is cut off.")
        case _:
            _decode(path, found)
    return found


def without_location(content: bytes, type_: str) -> bytes:
    """The same picture without EXIF, XMP and other data beside it; only how to turn it is kept.

    Refuses with ``ERR_FILE_INVALID`` what it cannot follow, rather than to give out what it may hold.
    """
    try:
        match type_:
            case "image/jpeg":
                return _plain_jpeg(content)
            case "image/png":
                return _plain_png(content)
            case "image/webp":
                return _plain_webp(content)
            case "image/heic":
                return _plain_heic(content)
    except (struct.error, LookupError, ValueError) as error:
        raise _invalid("The picture's parts could not be told apart.") from error
    raise _invalid("This is not a picture.")


def _invalid(text: str) -> Refusal:
    return Refusal("ERR_FILE_INVALID", text)


def _decode(path: Path, type_: str) -> None:
    if type_ == HEIC:
        import pillow_heif  # only where one comes: it is large

        pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = None  # ours is lower, and an error instead of a warning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=[_FORMATS[type_]]) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise _invalid(f"The picture has {width} x {height} pixels; up to 50 megapixels are accepted.")
                picture.draft(picture.mode, (1, 1))  # JPEG: every byte is read, at an eighth of the size
                picture.load()
        except Refusal:
            raise
        except Exception as error:
            raise _invalid("The picture does not decode: it is damaged or cut off.") from error


# JPEG (ITU T.81): segments FF, marker, length; after a start of scan, data up to the next marker that is no restart.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOS, _EOI, _APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE


def _plain_jpeg(content: bytes) -> bytes:
    kept = [content[:2]]
    turned = b""
    at = 2
    while True:
        while content[at] == 0xFF and content[at + 1] == 0xFF:
            at += 1  # fill bytes
        if content[at] != 0xFF:
            raise ValueError("no marker")
        marker = content[at + 1]
        if marker == _EOI:
            kept.append(content[at : at + 2])  # what follows is a second picture with data of its own, or anything
            break
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
        body = content[at + 4 : end]
        if marker == _APP1 and body.startswith(b"Exif\0\0") and not turned:
            turned = _orientation_segment(body[6:])
        if marker == _SOS:
            found = _NEXT_MARKER.search(content, end)
            end = found.start() if found else len(content)
        if not _APP0 <= marker <= _APP15 and marker != _COM:
            kept.append(content[at:end])
        elif marker in (_APP0, _APP14) or (marker == _APP2 and body.startswith(b"ICC_PROFILE\0")):
            kept.append(content[at:end])  # JFIF and Adobe tell the colour model, ICC the colours
        if end >= len(content):
            break
        at = end
    return kept[0] + turned + b"".join(kept[1:])


def _orientation_segment(tiff: bytes) -> bytes:
    """An APP1 segment with the orientation alone, or nothing where the picture stands upright."""
    order = ">" if tiff[:2] == b"MM" else "<"
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, offset)
        for entry in range(offset + 2, offset + 2 + 12 * entries, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == 0x0112 and 2 <= value <= 8:
                only = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, value, 0, 0)
                return b"\xff\xe1" + struct.pack(">H", len(only) + 8) + b"Exif\0\0" + only
    except struct.error:
        return b""  # damaged EXIF: the picture is shown as it lies
    return b""


# PNG (ISO 15948): length, type, body, check sum. What makes the picture and its colours stays.
_PNG_KEPT = b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT cICP pHYs bKGD acTL fcTL fdAT".split()


def _plain_png(content: bytes) -> bytes:
    kept = [content[:8]]
    at = 8
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        name = content[at + 4 : at + 8]
        if name in _PNG_KEPT:
            kept.append(content[at:end])
        if name == b"IEND":
            return b"".join(kept)
        at = end
    raise ValueError("no end")


def _plain_webp(content: bytes) -> bytes:
    """WebP (RFC 9649): RIFF chunks; the flags in VP8X that announce EXIF and XMP go with them."""
    kept = []
    at, beyond = 12, min(len(content), 8 + int.from_bytes(content[4:8], "little"))
    while at + 8 <= beyond:
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        chunk = content[at:end]
        if name == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~0x0C]) + chunk[9:]
        if name in (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"):
            kept.append(chunk)
        at = end
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


# HEIC (ISO 14496-12 and 23008-12): boxes; the `meta` box tells by `iinf` which items are EXIF or XMP, and by `iloc`
# where they lie. Their bytes are overwritten in place, as other boxes point into the file by offset.
_NO_EXIF = b"\0\0\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"


def _plain_heic(content: bytes) -> bytes:
    plain = bytearray(content)
    for name, start, end in _boxes(content, 0, len(content)):
        if name == b"meta":
            inner = {kind: (first, last) for kind, first, last in _boxes(content, start + 4, end)}
            told = _items_beside(content, *inner[b"iinf"])
            for first, last in _extents(content, inner, told):
                if last > len(plain):
                    raise ValueError("beyond the end")
                plain[first:last] = _NO_EXIF.ljust(last - first, b"\0")[: last - first]
        elif name in (b"uuid", b"moov", b"udta"):
            plain[start:end] = bytes(end - start)
    return bytes(plain)


def _boxes(content: bytes, at: int, beyond: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, and first and last byte of the body, of the boxes in a range."""
    while at + 8 <= beyond:
        size, start = int.from_bytes(content[at : at + 4]), at + 8
        if size == 1:
            size, start = int.from_bytes(content[at + 8 : at + 16]), at + 16
        end = beyond if size == 0 else at + size
        if not start <= end <= beyond:
            raise ValueError("a box that does not fit")
        yield content[at + 4 : at + 8], start, end
        at = end


def _items_beside(content: bytes, start: int, end: int) -> set[int]:
    """The numbers of the items that are no pictures: EXIF, XMP and whatever else has a media type."""
    found = set()
    at = start + (6 if content[start] == 0 else 8)
    for name, first, _ in _boxes(content, at, end):
        if name != b"infe" or content[first] < 2:
            raise ValueError("an old list of items")
        wide = 2 if content[first] == 2 else 4
        kind = content[first + 4 + wide + 2 : first + 4 + wide + 6]
        if kind in (b"Exif", b"mime", b"uri "):
            found.add(int.from_bytes(content[first + 4 : first + 4 + wide]))
    return found


def _extents(content: bytes, inner: dict[bytes, tuple[int, int]], items: set[int]) -> Iterator[tuple[int, int]]:
    """First and last byte, in the file, of what these items are made of."""
    at = inner[b"iloc"][0]
    version = content[at]
    widths = int.from_bytes(content[at + 4 : at + 6])
    offset_size, length_size, base_size, index_size = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    at += 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > len(content):
            raise ValueError("cut off")
        at += size
        return int.from_bytes(content[at - size : at])

    for _ in range(number(2 if version < 2 else 4)):
        item = number(2 if version < 2 else 4)
        method = number(2) & 15 if version else 0
        number(2)  # which file: always this one
        base = number(base_size)
        for _ in range(number(2)):
            number(index_size if version else 0)
            offset, length = number(offset_size), number(length_size)
            if item in items:
                if method > 1 or not length:
                    raise ValueError("within another item, or as long as all there is")
                start = base + offset + (inner[b"idat"][0] if method == 1 else 0)
                yield start, start + length
