import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from backend.domain.errors import Refusal
from backend.store import pictures

pillow_heif.register_heif_opener()
MAKER = "Zrinka's phone"


def photo(form: str, mode: str = "RGB", size: tuple[int, int] = (64, 48), **more: Any) -> bytes:
    picture = Image.linear_gradient("L").resize(size).convert(mode)
    file = io.BytesIO()
    picture.save(file, form, **more)
    return file.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    tags = Image.Exif()
    tags[Base.Make] = MAKER
    tags[Base.Orientation] = orientation
    tags.get_ifd(IFD.GPSInfo).update({GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (45.0, 48.0, 7.0)})
    return tags


def examine(tmp_path: Path, content: bytes, name: str = "file") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return pictures.examine(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (photo("JPEG"), "image/jpeg"),
        (photo("JPEG", "CMYK"), "image/jpeg"),
        (photo("JPEG", "L", progressive=True), "image/jpeg"),
        (photo("PNG", "RGBA"), "image/png"),
        (photo("PNG", "I;16"), "image/png"),
        (photo("PNG", "P"), "image/png"),
        (photo("WEBP"), "image/webp"),
        (photo("WEBP", "RGBA", lossless=True), "image/webp"),
        (photo("HEIF"), "image/heic"),
        (photo("PDF"), "application/pdf"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_sound_file_is_known_by_its_content(tmp_path: Path, content: bytes, expected: str) -> None:
    assert examine(tmp_path, content, "invoice.html") == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"MZ\x90\x00",
        b"PK\x03\x04",
        photo("GIF", "P"),
        photo("TIFF"),
        b"\x00\x00\x00\x20ftypavif" + photo("HEIF")[12:],
    ],
)
def test_other_types_are_refused_whatever_their_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
        examine(tmp_path, content, "photo.jpg")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "PDF"])
def test_a_cut_off_file_is_refused(tmp_path: Path, form: str) -> None:
    content = photo(form, size=(640, 480))
    for part in (0.2, 0.5, 0.9):
        with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
            examine(tmp_path, content[: int(len(content) * part)])


def test_a_file_that_only_begins_like_a_picture_is_refused(tmp_path: Path) -> None:
    for start in (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBP", b"\0\0\0\x18ftypheic"):
        with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
            examine(tmp_path, start + b"<script>alert(1)</script>" * 20)


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + png_chunk(b"IEND", b"")
    with pytest.raises(Refusal, match="megapixels"):
        examine(tmp_path, bomb)


def test_a_text_chunk_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    sound = photo("PNG")
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 << 20)))
    with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
        examine(tmp_path, sound[:33] + text + sound[33:])


def test_html_behind_a_picture_does_no_harm_and_is_left_out_for_customers(tmp_path: Path) -> None:
    content = photo("JPEG") + b"<script>alert(1)</script>"
    assert examine(tmp_path, content) == "image/jpeg"
    assert b"script" not in pictures.without_location(content, "image/jpeg")


def pixels(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.convert("RGB").tobytes()


def located() -> Iterator[tuple[str, bytes]]:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>45,48N</exif:GPSLatitude></x:xmpmeta>'
    for form, type_ in (("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("HEIF", "image/heic")):
        yield type_, photo(form, size=(320, 200), exif=exif(), xmp=xmp)
    yield "image/jpeg", photo("JPEG", size=(320, 200), exif=exif(), xmp=xmp, progressive=True, comment="45.8, 16.0")


@pytest.mark.parametrize(
    ("type_", "content"), list(located()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_copy_for_customers_does_not_tell_where_it_was_taken(type_: str, content: bytes) -> None:
    assert MAKER.encode() in content
    plain = pictures.without_location(content, type_)
    assert MAKER.encode() not in plain
    assert b"GPSLatitude" not in plain
    assert b"45.8" not in plain
    with Image.open(io.BytesIO(plain)) as picture:
        assert not picture.getexif().get_ifd(IFD.GPSInfo)
        assert (
            picture.format
            == {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/heic": "HEIF"}[type_]
        )
    assert pixels(plain) == pixels(content)


def test_a_turned_photo_stays_turned() -> None:
    plain = pictures.without_location(photo("JPEG", exif=exif(orientation=6)), "image/jpeg")
    with Image.open(io.BytesIO(plain)) as picture:
        assert dict(picture.getexif()) == {Base.Orientation: 6}


def test_colours_are_kept() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for form, type_ in (("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")):
        plain = pictures.without_location(photo(form, icc_profile=profile), type_)
        with Image.open(io.BytesIO(plain)) as picture:
            assert picture.info["icc_profile"] == profile


@pytest.mark.parametrize("type_", ["image/jpeg", "image/png", "image/heic"])
def test_what_cannot_be_followed_is_not_given_out(type_: str) -> None:
    with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
        pictures.without_location(b"\xff\xd8" + b"\0\0\0\x40meta nothing that anybody could follow" * 3, type_)


def test_a_heic_picture_without_a_list_of_its_items_is_not_given_out() -> None:
    handler = struct.pack(">I4s", 8, b"hdlr")
    with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
        pictures.without_location(struct.pack(">I4sI", 12 + len(handler), b"meta", 0) + handler, "image/heic")


def box(name: bytes, body: bytes, size: str = "usual") -> bytes:
    """A box of HEIC; ``size`` "long" is told in 64 bits, "rest" not at all."""
    match size:
        case "long":
            return struct.pack(">I4sQ", 1, name, 16 + len(body)) + body
        case "rest":
            return struct.pack(">I4s", 0, name) + body
    return struct.pack(">I4s", 8 + len(body), name) + body


def heic(extents: bytes, *, method: int = 0, old: bool = False) -> bytes:
    """One with an EXIF item of these extents, 16 bytes each; its bytes are the last of the file."""
    item = struct.pack(">BxxxHH4s", 1 if old else 2, 7, 0, b"Exif")
    listed = box(b"iinf", struct.pack(">xxxxH", 1) + box(b"infe", item))
    count = len(extents) // 8
    places = box(b"iloc", struct.pack(">BxxxHHHHHH", 1, 0x4400, 1, 7, method, 0, count) + extents)
    return box(b"ftyp", b"heic") + box(b"meta", bytes(4) + listed + places) + b"secret"


@pytest.mark.parametrize("size", ["usual", "long", "rest"])
@pytest.mark.parametrize("name", [b"uuid", b"moov", b"udta"])
def test_what_a_heic_picture_has_beside_its_items_is_left_out(name: bytes, size: str) -> None:
    beside = box(name, b"secret", size)
    content = box(b"ftyp", b"heic") + beside
    plain = pictures.without_location(content, "image/heic")
    assert plain == content.replace(b"secret", bytes(6))


def test_the_places_of_a_heic_pictures_items_are_followed_or_it_is_not_given_out() -> None:
    size = len(heic(bytes(8)))
    where = struct.pack(">II", size - 6, 6)
    assert b"secret" not in pictures.without_location(heic(where), "image/heic")
    odd = {
        "beyond the end": heic(struct.pack(">II", size - 6, 7)),
        "as long as all there is": heic(struct.pack(">II", size - 6, 0)),
        "within another item": heic(where, method=2),
        "an old list": heic(where, old=True),
        "cut off": heic(where)[:-20],
    }
    for content in odd.values():
        with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
            pictures.without_location(content, "image/heic")


def test_an_odd_jpeg_is_given_out_without_what_is_beside_the_picture() -> None:
    sound = photo("JPEG")
    damaged = b"Exif\0\0MM\0*\0\0\xff\xffsecret"
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(damaged)) + damaged
    for beside in (segment, b"\xff\xff\xff" + segment, b"\xff\xff" + segment + b"\xff"):
        plain = pictures.without_location(sound[:2] + beside + sound[2:], "image/jpeg")
        assert b"secret" not in plain and pixels(plain) == pixels(sound)
    assert pictures.without_location(sound[:-2], "image/jpeg") in sound, "without its end"
    with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
        pictures.without_location(b"%PDF-", "application/pdf")
