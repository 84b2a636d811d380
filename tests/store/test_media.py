import asyncio
import contextlib
import errno
import hashlib
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.domain.errors import Refusal
from backend.store import examiner
from backend.store import media as media_module
from backend.store.media import Media, Part
from tests.store.test_pictures import photo

LIMIT = 15 << 20


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[Media]:
    opened = await Media.open(tmp_path / "media")
    yield opened
    await opened.close()


async def in_pieces(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def arrived(media: Media, content: bytes) -> Part:
    part = media.begin()
    assert await media.extend(part, in_pieces(content), LIMIT) == len(content)
    return part


async def whole(media: Media, sha256: str, first: int = 0, beyond: int | None = None) -> bytes:
    size, pieces = await media.read(sha256, first, beyond)
    found = b"".join([piece async for piece in pieces])
    assert len(found) == size
    return found


async def test_what_was_kept_is_read_back_byte_for_byte(media: Media) -> None:
    content = os.urandom(1_234_567)
    sha256 = await media.keep(await arrived(media, content))
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert await whole(media, sha256) == content
    assert await whole(media, sha256, 1000, 2000) == content[1000:2000]
    assert await whole(media, sha256, 1_234_000) == content[1_234_000:]
    assert await media.size(sha256) == len(content)


async def test_the_same_content_twice_is_stored_once(media: Media, tmp_path: Path) -> None:
    parts = [await arrived(media, b"signature" * 100) for _ in range(2)]
    first, again = [await media.keep(part) for part in parts]
    assert first == again == await media.keep(parts[0])
    for part in parts:
        media.discard(part)
    files = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert [path.name for path in files] == [first]


async def test_a_file_is_copied_where_it_cannot_be_linked(
    media: Media, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As onto another file system."""

    def link(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    content = os.urandom(300_000)
    part = await arrived(media, content)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(Refusal, match="ERR_STORAGE_FULL"):
            await media.keep(part)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [part.path], "half of it is in nobody's way"
    kept = await media.keep(part)
    assert await media.keep(part) == kept
    media.discard(part)
    assert await whole(media, kept) == content


async def test_what_is_not_stored_is_not_found(media: Media) -> None:
    for name in ("0" * 64, "../../etc/passwd", "", "A" * 64):
        with pytest.raises(Refusal, match="ERR_NOT_FOUND"):
            await media.read(name)
    with pytest.raises(Refusal, match="ERR_NOT_FOUND"):
        media.resume("../../../etc/passwd")


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(media: Media, tmp_path: Path) -> None:
    part = media.begin()
    with pytest.raises(Refusal, match="ERR_TOO_LARGE"):
        await media.extend(part, in_pieces(bytes(2_000_000)), 1_000_000)
    media.discard(part)
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


async def test_an_upload_goes_on_where_it_was_cut_off(media: Media) -> None:
    content = os.urandom(900_000)

    async def cut_off() -> AsyncIterator[bytes]:
        yield content[:400_000]
        raise ConnectionResetError

    part = media.begin()
    with pytest.raises(ConnectionResetError):
        await media.extend(part, cut_off(), LIMIT)
    found = media.resume(part.name)
    assert found.size == 400_000
    await media.extend(found, in_pieces(content[found.size :]), LIMIT)
    assert await whole(media, await media.keep(found)) == content


@pytest.mark.parametrize("when", ["amid the file", "at its end"])
async def test_who_gives_way_leaves_nothing_that_is_still_to_be_written(
    media: Media, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A phone comes back while the disk is slow with what it sent before: what it goes on from is all there."""
    content = os.urandom(900_000)
    begun, may_write, write = threading.Event(), threading.Event(), media_module._write

    def slowly(path: Path, piece: bytes, last: bool = False) -> None:
        if piece and (last or when == "amid the file"):
            begun.set()
            assert may_write.wait(60)
        write(path, piece, last)

    async def stalling() -> AsyncIterator[bytes]:
        yield content[:400_000]
        if when == "at its end":
            yield content[400_000:500_000]
            return
        await asyncio.Event().wait()

    part = media.begin()
    monkeypatch.setattr(media_module, "_write", slowly)
    first = asyncio.create_task(media.extend(part, stalling(), LIMIT))
    assert await asyncio.to_thread(begun.wait, 60)
    first.cancel()
    done, _ = await asyncio.wait({first}, timeout=0.2)
    assert not done, "its thread still writes"
    may_write.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert part.size == (400_000 if when == "amid the file" else 500_000)
    await media.extend(part, in_pieces(content[part.size :]), LIMIT)
    assert await whole(media, await media.keep(part)) == content


@pytest.mark.parametrize("when", ["as it is sent", "as it is kept"])
async def test_of_a_file_whose_fsync_failed_nothing_counts_as_sent(
    media: Media, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came earlier neither: a process that was killed may have left it in memory alone, and a second fsync would
    find nothing to do."""
    content = os.urandom(100_000)
    part = await arrived(media, content[:60_000] if when == "as it is sent" else content)

    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as disk, pytest.raises(Refusal, match="ERR_STORAGE"):
        disk.setattr(os, "fsync", fails)
        await (media.extend(part, in_pieces(content[60_000:]), LIMIT) if when == "as it is sent" else media.keep(part))
    assert part.size == 0
    await media.extend(part, in_pieces(content), LIMIT)
    kept = await media.keep(part)
    with monkeypatch.context() as disk, pytest.raises(Refusal, match="ERR_STORAGE"):
        disk.setattr(os, "fsync", fails)
        await media.keep(part)
    assert await whole(media, kept) == content, "what is stored is not touched"


async def test_what_was_abandoned_is_swept_at_start(tmp_path: Path) -> None:
    media = await Media.open(tmp_path)
    hours = {"upload of a day": 25, "upload of an hour": 2, "body of an hour": 2, "body": 0}
    parts = {name: media.begin().path for name in hours}
    for name, path in parts.items():
        os.utime(path, (time.time() - hours[name] * 3600,) * 2)
        if name.startswith("upload"):
            path.with_suffix(".upload").write_bytes(b"{}")
    kept = await media.keep(await arrived(media, b"kept"))
    await media.close()
    media = await Media.open(tmp_path)
    assert {name for name, path in parts.items() if path.exists()} == {"upload of an hour", "body"}
    await media.close()
    media = await Media.open(tmp_path, alone=True)
    assert {name for name, path in parts.items() if path.exists()} == {"upload of an hour"}
    await media.close()
    in_the_way = tmp_path / "uploads" / "folder.part"
    in_the_way.mkdir()
    media = await Media.open(tmp_path, alone=True)
    assert await media.size(kept) == 4
    await media.close()


async def test_what_comes_after_its_beginning_was_swept_is_refused(media: Media) -> None:
    part = media.begin()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"1" * 300_000
        media.discard(part)
        yield b"2" * 300_000

    with pytest.raises(Refusal, match="ERR_STORAGE"):
        await media.extend(part, pieces(), LIMIT)
    assert not part.path.exists()


async def test_a_full_disk_is_told(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    part = media.begin()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        with pytest.raises(Refusal, match="ERR_STORAGE_FULL"):
            await media.extend(part, in_pieces(bytes(2_000_000)), LIMIT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    media.discard(part)
    monkeypatch.setattr(media_module, "SPARE_BYTES", 1 << 60)  # photos must not take the last room from positions
    with pytest.raises(Refusal, match="ERR_STORAGE_FULL"):
        await media.extend(media.begin(), in_pieces(b"x"), LIMIT)


async def test_content_is_examined_in_a_process_of_its_own(media: Media) -> None:
    assert await media.inspect(await arrived(media, photo("JPEG"))) == "image/jpeg"
    assert await media.inspect(await arrived(media, photo("HEIF"))) == "image/heic"
    with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
        await media.inspect(await arrived(media, b"<html></html>"))
    assert await media.inspect(await arrived(media, photo("PNG"))) == "image/png"


async def test_fifty_megapixels_fit_and_more_are_refused(media: Media) -> None:
    assert await media.inspect(await arrived(media, photo("JPEG", "CMYK", (10_000, 5_000)))) == "image/jpeg"
    assert (
        await media.inspect(await arrived(media, photo("PNG", "RGBA", (10_000, 5_000), compress_level=1)))
        == "image/png"
    )
    with pytest.raises(Refusal, match="megapixels"):
        await media.inspect(await arrived(media, photo("PNG", "L", (10_001, 5_000), compress_level=1)))


async def test_who_ends_the_examiner_between_two_files_costs_none_of_them(media: Media) -> None:
    good = await arrived(media, photo("PNG"))
    for _ in range(3):  # noticed, or found by writing to it
        assert await media.inspect(good) == "image/png"
        assert media._examiner._process is not None
        media._examiner._process.kill()


@pytest.mark.parametrize(
    ("ended_by", "refused"),
    [
        ([signal.SIGINT], False),  # Ctrl-C goes to every process of the terminal
        ([signal.SIGKILL], False),  # as of a machine that is short of memory
        ([signal.SIGSEGV, signal.SIGSEGV], True),
        ([signal.SIGXCPU], True),
    ],
    ids=lambda value: "-".join(each.name for each in value) if isinstance(value, list) else "",
)
async def test_a_file_is_to_blame_where_the_examiner_ends_twice_or_has_no_time_left(
    media: Media, tmp_path: Path, ended_by: list[signal.Signals], refused: bool
) -> None:
    path = tmp_path / "file"
    os.mkfifo(path)  # which is not read to its end until something takes its place
    asking = asyncio.create_task(media._examiner.examine(path))
    async with asyncio.timeout(100):
        for number, each in enumerate(ended_by, 1):
            process, its_input = await reading(media, path)
            if number == len(ended_by):
                (await arrived(media, photo("PNG"))).path.rename(path)
            process.send_signal(each)
            await process.wait()
            os.close(its_input)
        if refused:
            with pytest.raises(Refusal, match="ERR_FILE_INVALID"):
                await asking
        else:
            assert await asking == "image/png"
    assert await media.inspect(await arrived(media, photo("PNG"))) == "image/png"


async def reading(media: Media, fifo: Path) -> tuple[asyncio.subprocess.Process, int]:
    """The examiner's process, once it has opened this; and the other end."""
    while True:
        await asyncio.sleep(0.01)
        with contextlib.suppress(OSError):  # nobody reads yet
            its_input = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            assert media._examiner._process is not None
            return media._examiner._process, its_input


async def test_an_examiner_that_stalls_is_ended_and_the_file_may_come_again(
    media: Media, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fifo = tmp_path / "never"
    os.mkfifo(fifo)
    with monkeypatch.context() as hurried, pytest.raises(Refusal, match="ERR_OVERLOADED"):
        hurried.setattr(examiner, "SECONDS", -4.5)  # half a second in all
        async with asyncio.timeout(60):
            await media._examiner.examine(fifo)
    assert await media.inspect(await arrived(media, photo("PNG"))) == "image/png"


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere"])
async def test_no_file_is_to_blame_where_the_examiner_does_not_start(
    media: Media, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A phone forgets what is refused for good."""
    good = await arrived(media, photo("PNG"))
    with monkeypatch.context() as broken, pytest.raises(Refusal, match="ERR_OVERLOADED"):
        broken.setattr(sys, "executable", program)
        await media.inspect(good)
    assert await media.inspect(good) == "image/png"


async def test_no_file_is_to_blame_where_it_cannot_be_read(media: Media, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="ERR_OVERLOADED"):
        await media._examiner.examine(tmp_path / "nowhere")
    assert await media.inspect(await arrived(media, photo("PNG"))) == "image/png"


@pytest.mark.parametrize("url", ["foo://bucket", "s3://", "s3://a bucket", "az://without-an-account"])
async def test_a_place_that_is_none_is_refused_by_name(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(Refusal, match="ERR_SETTING_INVALID: CODRIVER_BLOB_URL cannot be used"):
        await Media.open(url, tmp_path / "uploads")


async def test_a_cloud_that_does_not_answer_is_told_as_what_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And soon, so that the phone is still there to hear that it should come again."""
    for name, value in {"ENDPOINT_URL": "http://127.0.0.1:9", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    media = await Media.open("s3://bucket/photos", tmp_path / "uploads")
    part = media.begin()
    await media.extend(part, in_pieces(b"content"), LIMIT)
    async with asyncio.timeout(60):
        for asked in (media.keep(part), media.read("0" * 64), media.size("0" * 64)):
            with pytest.raises(Refusal, match="ERR_UNAVAILABLE"):
                await asked
    assert part.size == 7, "all may be done again"
    await media.close()
