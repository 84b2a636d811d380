"""The file that the truth is kept in."""

import os
import resource
from pathlib import Path

import pytest

from simulator import statefile
from simulator.steps import Send
from simulator.truth import ACKNOWLEDGED, SENT, Phone, Run, Truth
from tests.simulator.days import DATE, route

RUN = Run("u", DATE, 1, "http", "", None, 1)


def phone(driver: str) -> Phone:
    return Phone(driver, driver, driver, "token", route(3))


def test_a_line_for_which_there_is_no_room_is_not_written_by_half(tmp_path: Path):
    file = tmp_path / "run.jsonl"
    truth = Truth.begin(RUN, file)
    truth.paired(phone("D1"))
    whole = file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, hard))
    try:
        with pytest.raises(OSError, match="state file"):
            truth.paired(phone("D2"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == whole and list(truth.diaries) == ["D1"]
    truth.paired(phone("D3"))  # there is room again
    truth.close()
    again = Truth.read(file)
    assert list(again.diaries) == ["D1", "D3"] and again.continued
    again.close()
    assert os.stat(file).st_size > len(whole)


def test_a_file_is_of_one_process_alone_until_that_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(statefile, "LET_GO_S", 0.2)
    file = tmp_path / "run.jsonl"
    truth = Truth.begin(RUN, file)
    truth.paired(phone("D1"))
    half = file.read_bytes()[:-9]
    file.write_bytes(half)  # a line is being written as another process comes
    for comes in (lambda: Truth.read(file), lambda: Truth.begin(RUN, file)):
        with pytest.raises(ValueError, match="in use"):
            comes()
    assert file.read_bytes() == half
    truth.close()
    again = Truth.read(file)
    assert not again.diaries and half.startswith(file.read_bytes())
    again.close()


def test_what_was_known_of_a_day_is_known_once_however_often_it_is_recalled():
    truth = Truth.begin(RUN, None)
    diary = truth.paired(phone("D1"))
    for step in diary.steps():
        if isinstance(step, Send):
            diary.known(step.message.n, SENT | ACKNOWLEDGED)
    counts = []
    for _ in range(2):
        diary.recall()
        counts.append((len(diary.actions()), len(diary.expectations), diary.fixes_sent, diary.fixes_acknowledged))
    assert counts[0] == counts[1] and min(counts[0]) > 5
