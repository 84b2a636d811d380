"""Which boxes of the map a place is in, without asking every box.

Boxes are kept by the squares they touch, each at a level of squares of a quarter to a half of its own size: a box
touches 25 squares at most, a place is looked up once for each level in use, and about half of the boxes that are found
in its squares have it inside.
"""

import math
from collections import Counter, defaultdict
from typing import Generic, TypeVar

Box = tuple[float, float, float, float]  # west, south, east, north in degrees; west > east crosses the antimeridian
Square = tuple[int, int, int]
T = TypeVar("T")

_SMALLEST = 360 / 2**16  # degrees, about 600 m; a smaller box gains nothing


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
        self._levels: Counter[int] = Counter()

    def __bool__(self) -> bool:
        return bool(self._levels)

    def add(self, thing: T, box: Box) -> None:
        for square in _squares(box):
            self._squares[square][thing] = box
            self._levels[square[0]] += 1

    def remove(self, thing: T, box: Box) -> None:
        for square in _squares(box):
            things = self._squares[square]
            if things.pop(thing, None) is not None:
                self._levels[square[0]] -= 1
            if not things:
                del self._squares[square]
        self._levels += Counter()  # forgets the levels that nobody uses

    def around(self, latitude: float, longitude: float) -> set[T]:
        """All whose box has this place in it."""
        found: set[T] = set()
        for level in self._levels:
            things = self._squares.get((level, _index(longitude, 180, level), _index(latitude, 90, level)))
            if things:
                found.update(thing for thing, box in things.items() if contains(box, latitude, longitude))
        return found


def _squares(box: Box) -> list[Square]:
    west, south, east, north = box
    if west > east:
        return list({*_squares((west, south, 180.0, north)), *_squares((-180.0, south, east, north))})
    extent = max(east - west, north - south, _SMALLEST)
    level = math.floor(math.log2(360 / extent)) + 2
    columns = set(range(_index(west, 180, level), _index(east, 180, level) + 1))
    if east == 180 or west == -180:  # the same meridian
        columns |= {_index(180.0, 180, level), _index(-180.0, 180, level)}
    rows = range(_index(south, 90, level), _index(north, 90, level) + 1)
    return [(level, column, row) for column in columns for row in rows]


def _index(degrees: float, offset: int, level: int) -> int:
    return min(int((degrees + offset) / 360 * 2**level), 2**level - 1)
