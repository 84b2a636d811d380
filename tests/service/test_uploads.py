"""The lock of an unfinished upload, whose disk may stand still."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service import uploads
from backend.store.media import Media


class Lock:
    """Stands in for the one on the disk, and notes which threads take it and let go of it."""

    def __init__(self) -> None:
        self.may_come = threading.Event()
        self.waiting = threading.Event()
        self.let_go = threading.Event()
        self.threads: list[str] = []

    @contextmanager
    def held(self, folder: Path, name: str) -> Iterator[bool]:
        self.waiting.set()
        self.may_come.wait(40)
        self.threads.append(threading.current_thread().name.partition("_")[0])
        yield True
        self.threads.append(threading.current_thread().name.partition("_")[0])
        self.let_go.set()


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Lock:
    made = Lock()
    monkeypatch.setattr(uploads.store, "held", made.held)
    return made


@pytest.fixture
async def desk(tmp_path: Path) -> Any:
    media = await Media.open(tmp_path)
    yield SimpleNamespace(media=media)
    await media.close()


async def test_it_is_taken_and_let_go_on_a_thread_for_files(desk: Any, lock: Lock) -> None:
    lock.may_come.set()
    async with uploads._held(desk, "one") as free:
        assert free and not lock.let_go.is_set()
    assert lock.threads == ["files", "files"]


async def test_who_is_cancelled_while_the_disk_stands_still_holds_nothing_for_long(desk: Any, lock: Lock) -> None:
    async def hold() -> None:
        async with uploads._held(desk, "one"):
            raise AssertionError("the disk stands still")

    holding = asyncio.create_task(hold())
    assert await asyncio.to_thread(lock.waiting.wait, 40)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    lock.may_come.set()
    assert await asyncio.to_thread(lock.let_go.wait, 40)
    assert lock.threads == ["files", "files"]
