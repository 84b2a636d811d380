"""The shape of a metric, and the files by which the processes of one machine show each other theirs."""

import os
from pathlib import Path

import msgspec


class Spread(msgspec.Struct, frozen=True, array_like=True):
    """A histogram: ``counts[i]`` values of up to ``bounds[i]``, the last one beyond all bounds; ``total`` their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Figure(msgspec.Struct, frozen=True):
    """One metric: a counter where it ``grows``, else a gauge or histogram; with one value, or one by label ``by``."""

    name: str
    grows: bool
    text: str
    value: float | Spread | dict[str, float]
    by: str = ""


class FigureFiles:
    """Where the processes of one machine publish their figures to one another: one file for each, in ``folder``.

    The process that is asked reads the files of all, its own too, so that a counter never goes back between answers.
    """

    def __init__(self, folder: Path, process: int) -> None:
        self._folder = folder
        self._own = folder / f"{process}.figures"

    def post(self, figures: list[Figure]) -> None:
        new = self._own.with_suffix(".new")
        new.write_bytes(_encode(figures))
        os.replace(new, self._own)

    def all(self) -> dict[str, list[Figure]]:
        """The figures of each process, by its number."""
        return {path.stem: _decode(path.read_bytes()) for path in sorted(self._folder.glob("*.figures"))}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Figure]).decode
