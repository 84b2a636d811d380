"""Lossless compression of stored positions, for those that are hours old: they take a fifth of the space.

A column of decimals is written as whole numbers (45.8123456 as 458123456), as differences from one to the next, which
are small where a van moves; then all columns together are deflated. What is no such decimal (a phone may give all
sixteen digits) stays as it is. After the idea of Gorilla, Facebook's time series database (Pelkonen and others, 2015),
with deflate in place of its own bits.
"""

import zlib
from collections.abc import Sequence
from itertools import accumulate, groupby
from operator import sub
from typing import Any

import msgspec

LEVEL = 6
DECIMALS = (0, 1, 2, 3, 4, 5, 6, 7, 8)
LARGEST = 1 << 51  # whole numbers up to here are exact as floats, and rounded by adding the next number
_ROUND = 1.5 * 2**52  # a float from here to a third more has no room for a fraction; four times as quick as round()

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_MINUS_ZERO = _encode(-0.0)


def squeeze(columns: Sequence[list[Any]]) -> bytes:
    """Columns of floats, of which some may be absent (None), or of texts."""
    return zlib.compress(_encode([_squeezed(column) for column in columns]), LEVEL)


def expand(body: bytes | memoryview, last: int = 0) -> list[list[Any]]:
    """The columns of ``squeeze``, to the last bit, or the ``last`` few values of each."""
    return [_expanded(column, last)[-last:] for column in _decode(zlib.decompress(body))]  # from 0 on are all


def _squeezed(column: list[Any]) -> list[Any]:
    """``[decimals, runs, first, difference, …]``, or ``[None, value, …]`` as it is. ``runs`` are the lengths of what is
    there and what is absent in turn, empty where all is there."""
    present = [value for value in column if value is not None]
    found = _whole(present)
    if found is None:
        return [None, *column]
    decimals, numbers = found
    runs = [] if len(present) == len(column) else _runs(column) if present else [0, len(column)]
    return [decimals, runs, *numbers[:1], *map(sub, numbers[1:], numbers)]


def _whole(values: list[Any]) -> tuple[int, list[int]] | None:
    """The least number of decimals by which all values are whole numbers, and these; None where there is none."""
    if not {float}.issuperset(map(type, values)) or _MINUS_ZERO in _encode(values):
        return None
    most = max(map(abs, values), default=0)
    few = values[:8]
    for decimals in DECIMALS:
        scale = float(10**decimals)
        if most * scale > LARGEST:
            return None
        if [(value * scale + _ROUND - _ROUND) / scale for value in few] != few:
            continue
        numbers = [value * scale + _ROUND - _ROUND for value in values]
        if [number / scale for number in numbers] == values:
            return decimals, list(map(int, numbers))
    return None


def _runs(column: list[Any]) -> list[int]:
    runs = [(there, len(list(group))) for there, group in groupby(value is not None for value in column)]
    return [*([0] if not runs[0][0] else []), *(length for _, length in runs)]


def _expanded(column: list[Any], last: int) -> list[Any]:
    """At least the last values of a column, or all of them for 0."""
    if column[0] is None:
        return column[1:]
    decimals, runs, *numbers = column
    if not runs and 0 < last < len(numbers):
        numbers = [sum(numbers[: 1 - last or None]), *numbers[len(numbers) + 1 - last :]]
    scale = 10**decimals
    values = [number / scale for number in accumulate(numbers)]
    if not runs:
        return values
    found: list[Any] = []
    at = 0
    for index, length in enumerate(runs):
        if index % 2:
            found += [None] * length
        else:
            found += values[at : at + length]
            at += length
    return found
