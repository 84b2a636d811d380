"""Dates and days."""

import pytest

from backend.domain.errors import Refusal
from backend.domain.times import day, local_date, local_day_ms, zone

HOUR_MS = 3_600_000


@pytest.mark.parametrize("text", ["1970-01-01", "2024-02-29", "2100-12-31"])
def test_a_date_is_taken_as_it_is(text: str) -> None:
    assert day(text, "date") == text


@pytest.mark.parametrize(
    "text", ["", "today", "2026-3-2", "20260302", "2025-02-29", "1969-12-31", "2101-01-01", "9999-12-31"]
)
def test_what_is_no_date_of_our_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        day(text, "from")
    assert (refused.value.code, refused.value.where) == ("ERR_INVALID", "from")


@pytest.mark.parametrize(("date", "hours"), [("2026-03-02", 24), ("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_local_day_is_as_long_as_the_clocks_make_it(date: str, hours: int) -> None:
    begins_ms, ends_ms = local_day_ms(date, "Europe/Zagreb")
    assert ends_ms - begins_ms == hours * HOUR_MS
    assert local_date(begins_ms, "Europe/Zagreb") == local_date(ends_ms - 1, "Europe/Zagreb") == date


@pytest.mark.parametrize("name", ["", "Mars/Base", "localtime", "posixrules", "right/Europe/Zagreb", "../etc/passwd"])
def test_what_is_no_time_zone_on_every_machine_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        zone(name)
    assert refused.value.code == "ERR_TIME_ZONE"
