"""How far something long has come: a bar on a terminal, a line now and then where the output goes to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 10.0
Show = Callable[[int, str], None]
"""``show(done, text)``: so much of the whole, and what else there is to say."""


@contextmanager
def progress(console: Console, what: str, unit: str, total: int) -> Iterator[Show]:
    """Tell how many ``unit`` of ``total`` are done while the block runs."""
    if console.is_terminal:
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} " + unit)
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
            bar = bars.add_task(what, total=total)

            def moved(done: int, text: str = "") -> None:
                bars.update(bar, completed=done, description=text or what)

            yield moved
        return
    told = monotonic()

    def line(done: int, text: str = "") -> None:
        nonlocal told
        if monotonic() - told >= LINE_EVERY_S:
            told = monotonic()
            console.print(f"{text or what}: {done} of {total} {unit}", highlight=False, soft_wrap=True)

    yield line
