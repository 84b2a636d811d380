"""Which bounding boxes contain a place, without testing every box.

Boxes are kept by the squares they touch, each in squares of a quarter to a half of its own size: a box touches 25
squares at most, a place is looked up once for each size in use, and about half of the boxes that are found in its
squares have it inside.
"""

import math
from collections import Counter, defaultdict
from typing import Generic, TypeVar

Box = tuple[float, float, float, float]  # west, south, east, north in degrees; west > east crosses the antimeridian
Square = tuple[int, int, int]  # how many there are around the earth, column, row
T = TypeVar("T")

_SMALLEST = 360 / 2**16  # degrees, about 600 m; a smaller box gains nothing
_EDGE = 1 - 2**-30


def contains(box: Box, latitude: float, longitude: float) -> bool:
    west, south, east, north = box
    if not south <= latitude <= north:
        return False
    if west <= east:
        return west <= longitude <= east or (abs(longitude) == 180 and west <= -longitude <= east)
    return longitude >= west or longitude <= east


class Boxes(Generic[T]):
    """Things that have a box, found by a place in it."""

    def __init__(self) -> None:
        self._squares: dict[Square, dict[T, Box]] = defaultdict(dict)
        self._scales: Counter[int] = Counter()  # how many squares are in use of each size

    def __bool__(self) -> bool:
        return bool(self._scales)

    def add(self, thing: T, box: Box) -> None:
        for square in _squares(box):
            self._squares[square][thing] = box
            self._scales[square[0]] += 1

    def remove(self, thing: T, box: Box) -> None:
        for square in _squares(box):
            things = self._squares[square]
            if things.pop(thing, None) is not None:
                self._scales[square[0]] -= 1
            if not things:
                del self._squares[square]
        self._scales += Counter()  # forgets the sizes that nobody uses

    def around(self, latitude: float, longitude: float) -> set[T]:
        """All whose box has this place in it."""
        found: set[T] = set()
        x, y = _x(longitude), _y(latitude)
        for scale in self._scales:
            things = self._squares.get((scale, int(x * scale), int(y * scale)))
            if things:
                found.update(thing for thing, box in things.items() if contains(box, latitude, longitude))
        return found


def _squares(box: Box) -> list[Square]:
    west, south, east, north = box
    if west > east:
        return list({*_squares((west, south, 180.0, north)), *_squares((-180.0, south, east, north))})
    extent = max(east - west, north - south, _SMALLEST)
    scale = 2 ** (math.floor(math.log2(360 / extent)) + 2)
    columns = set(range(int(_x(west) * scale), int(_x(east) * scale) + 1))
    if east == 180 or west == -180:  # the same meridian
        columns |= {0, scale - 1}
    rows = range(int(_y(south) * scale), int(_y(north) * scale) + 1)
    return [(scale, column, row) for column in columns for row in rows]


def _x(longitude: float) -> float:
    """From 0 to just under 1 around the earth."""
    return min((longitude + 180) / 360, _EDGE)


def _y(latitude: float) -> float:
    """In the same units: squares are of degrees."""
    return (latitude + 90) / 360
