"""Proof of delivery, drawn: signatures as PNG, photos of parcels as JPEG. Small (about 5 to 60 KB), made from a seed
alone.

The same name draws the same bytes, another name others: a file can be drawn again to compare it with what a server
holds.
"""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from math import pi, sin
from random import Random

from PIL import Image, ImageDraw, ImageFilter

SIGNATURE_SIZE = (640, 240)
PHOTO_SIZE = (800, 600)

_digests: dict[str, str] = {}
_WALLS = [(196, 186, 170), (150, 160, 165), (170, 140, 120), (205, 205, 198), (140, 150, 130)]
_DOORS = [(96, 60, 40), (60, 80, 70), (120, 30, 30), (70, 75, 95), (225, 220, 205)]
_CARTON = [(186, 146, 98), (172, 130, 84), (200, 164, 118), (230, 230, 226)]


def draw(drawing: str) -> bytes:
    """The file that a drawing's name stands for: ``signature/…`` is a PNG, anything else (``image/…``,
    ``barcode/…``) a JPEG.
    """
    kind, _, _ = drawing.partition("/")
    drawn = signature(drawing) if kind == "signature" else photo(drawing, blurred=kind == "barcode")
    _digests[drawing] = sha256(drawn).hexdigest()
    return drawn


def digest(drawing: str) -> str:
    """The SHA-256 of a file, as it was drawn last, in hexadecimal."""
    if drawing not in _digests:
        draw(drawing)
    return _digests[drawing]


def signature(name: str) -> bytes:
    """A signature as a finger writes it on glass: PNG."""
    rng = Random(name)
    image = Image.new("L", SIGNATURE_SIZE, 255)
    pen = ImageDraw.Draw(image)
    x = rng.uniform(40, 90)
    for _ in range(rng.randint(2, 4)):
        width, height = rng.uniform(110, 190), rng.uniform(40, 90)
        waves, lean, phase = rng.uniform(2.0, 4.5), rng.uniform(-30, 30), rng.uniform(0, 2 * pi)
        middle = rng.uniform(100, 140)
        line = []
        for step in range(121):
            share = step / 120
            swing = sin(phase + 2 * pi * waves * share) * height * (1 - 0.6 * share)
            line.append((x + width * share + swing * 0.35, middle + swing + lean * share + rng.gauss(0, 0.6)))
        for start, end in pairwise(line):
            pen.line((start, end), fill=rng.randint(0, 60), width=rng.choice((3, 3, 4, 5)))
        x += width * rng.uniform(0.6, 0.95)
    image = image.filter(ImageFilter.GaussianBlur(0.7))
    out = BytesIO()
    image.save(out, "PNG", compress_level=6)
    return out.getvalue()


def photo(name: str, blurred: bool = False) -> bytes:
    """A parcel before a door, with the grain of a phone's camera (and out of focus where a label could not be
    scanned): JPEG.
    """
    rng = Random(name)
    width, height = PHOTO_SIZE
    image = Image.new("RGB", PHOTO_SIZE, rng.choice(_WALLS))
    pen = ImageDraw.Draw(image)
    floor = rng.randint(400, 470)
    pen.rectangle((0, floor, width, height), fill=(rng.randint(90, 130),) * 3)
    left = rng.randint(120, 420)
    pen.rectangle(
        (left, rng.randint(20, 70), left + 230, floor), fill=rng.choice(_DOORS), outline=(40, 40, 40), width=4
    )
    pen.ellipse((left + 190, 260, left + 210, 280), fill=(210, 190, 110))
    for _ in range(rng.randint(1, 3)):
        _parcel(pen, rng, floor)
    grain = Image.frombytes("L", (width // 4, height // 4), rng.randbytes(width // 4 * (height // 4))).resize(
        PHOTO_SIZE
    )
    image = Image.blend(image, Image.merge("RGB", (grain, grain, grain)), 0.06)
    if blurred:
        image = image.filter(ImageFilter.GaussianBlur(4))
    out = BytesIO()
    image.save(out, "JPEG", quality=62)
    return out.getvalue()


def _parcel(pen: ImageDraw.ImageDraw, rng: Random, floor: int) -> None:
    """One box with tape and a label on it."""
    x, wide, high = rng.randint(60, 560), rng.randint(120, 220), rng.randint(70, 170)
    bottom = floor + rng.randint(20, 110)
    pen.rectangle((x, bottom - high, x + wide, bottom), fill=rng.choice(_CARTON), outline=(90, 70, 50), width=3)
    pen.rectangle((x + wide * 0.45, bottom - high, x + wide * 0.55, bottom), fill=(214, 190, 150))
    label = (x + 12, bottom - high + 12, x + 82, bottom - high + 52)
    pen.rectangle(label, fill=(250, 250, 250))
    bar = label[0] + 5
    while bar < label[2] - 6:
        thick = rng.randint(1, 4)
        pen.rectangle((bar, label[1] + 6, bar + thick - 1, label[3] - 8), fill=(10, 10, 10))
        bar += thick + rng.randint(1, 4)
