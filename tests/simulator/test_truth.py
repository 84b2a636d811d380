"""The file that the truth is kept in."""

import os
import resource
from pathlib import Path

import pytest

from simulator.truth import Phone, Run, Truth
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
