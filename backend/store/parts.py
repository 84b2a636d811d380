"""Long lists of values for ``IN``, in parts: an engine takes some ten thousand variables in a statement."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
MOST = 1000


def parts(values: Iterable[T]) -> Iterator[list[T]]:
    """All values in lists of up to a thousand; none where there are none."""
    rest = iter(values)
    while part := list(islice(rest, MOST)):
        yield part
