"""What is known of unfinished uploads, on the disk."""

import hashlib
import os
import time
from pathlib import Path

from backend.store import uploads
from backend.store.media import Part
from backend.store.uploads import Upload

NAME = "0" * 31


def upload(number: int) -> Upload:
    return Upload(f"{NAME}{number}", "a", "d", "id", "image", None, 10, "")


def aged(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_what_was_saved_is_found_again_and_nothing_else(tmp_path):
    uploads.save(tmp_path, upload(1))
    assert uploads.load(tmp_path, f"{NAME}1") == upload(1)
    for name in (f"{NAME}2", "", "..", "../x", "0" * 33, f"{NAME}\n", f"{NAME}G"):
        assert uploads.load(tmp_path, name) is None


def test_half_a_record_is_none(tmp_path):
    uploads.save(tmp_path, upload(1))
    path = tmp_path / f"{NAME}1.upload"
    path.write_bytes(path.read_bytes()[:20])
    assert uploads.load(tmp_path, f"{NAME}1") is None


def test_what_nothing_came_to_for_long_is_swept_with_its_bytes(tmp_path):
    for number in (1, 2, 3):
        uploads.save(tmp_path, upload(number))
        (tmp_path / f"{NAME}{number}.part").write_bytes(b"x")
        aged(tmp_path / f"{NAME}{number}.upload", 30)
    aged(tmp_path / f"{NAME}1.part", 25)
    aged(tmp_path / f"{NAME}2.part", 23)
    assert uploads.sweep(tmp_path, 24 * 3600, 3600) == 1
    assert sorted(path.stem[-1] for path in tmp_path.glob("*.part")) == ["2", "3"]


def test_what_is_done_is_remembered_for_a_while(tmp_path):
    uploads.save(tmp_path, upload(1))
    done = uploads.finish(tmp_path, upload(1))
    assert done.done and uploads.load(tmp_path, f"{NAME}1") == done
    assert uploads.sweep(tmp_path, 24 * 3600, 3600) == 0
    aged(tmp_path / f"{NAME}1.done", 2)
    assert uploads.sweep(tmp_path, 24 * 3600, 3600) == 1
    assert uploads.load(tmp_path, f"{NAME}1") is None
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_left_that_was_killed_as_it_saved_is_swept(tmp_path):
    uploads.save(tmp_path, upload(1))
    for number, hours in ((1, 25), (2, 25), (3, 1)):
        (tmp_path / f"{NAME}{number}.new").write_bytes(b'{"name"')
        aged(tmp_path / f"{NAME}{number}.new", hours)
    for number in (1, 4):
        (tmp_path / f"{NAME}{number}.lock").touch()
        aged(tmp_path / f"{NAME}{number}.lock", 25)
    uploads.sweep(tmp_path, 24 * 3600, 3600)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f"{NAME}1.lock", f"{NAME}1.upload", f"{NAME}3.new"]


def test_a_piece_is_taken_back_to_the_byte(tmp_path):
    part = Part(NAME, tmp_path / "x.part")
    part.path.write_bytes(b"0123456789")
    assert uploads.chunk_digest(part, 5, "sha1") == hashlib.sha1(b"56789").digest()
    uploads.cut(part, 4)
    assert part.path.read_bytes() == b"0123"
    uploads.cut(part, 8)
    assert part.path.read_bytes() == b"0123", "what the disk has lost does not come back as zeros"
