import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.positions import (
    EARLIEST_S,
    LATEST_S,
    Position,
    diagnose,
    distance_m,
    doubts,
    newest_plausible,
    pack,
    plausible,
    sift,
    unpack,
    unpack_times_ms,
)

NOW = 1_767_268_800.0


def at(timestamp: float = NOW, latitude: float = 45.8, longitude: float = 16.0, **more: Any) -> Position:
    return Position(timestamp, latitude, longitude, **more)


def test_a_good_batch_passes_as_it_came() -> None:
    batch = [at(NOW - n, speed=3.5, heading=90.0, accuracy=4.0) for n in range(10)]
    assert sift(batch, NOW).accepted == batch


def test_one_bad_fix_is_refused_alone_by_its_index() -> None:
    batch = [at(NOW), at(NOW + 301), at(NOW + 299), at(EARLIEST_S - 1), at(NOW - 86_400 * 3)]
    sifted = sift(batch, NOW)
    assert sifted.accepted == [batch[0], batch[2], batch[4]]
    assert [(bad.index, bad.code) for bad in sifted.rejected] == [
        (1, "ERR_TIMESTAMP_FUTURE"),
        (3, "ERR_TIMESTAMP_TOO_OLD"),
    ]


def test_what_is_older_than_the_retention_is_refused() -> None:
    sifted = sift([at(NOW - 100), at(NOW - 10)], NOW, oldest_s=NOW - 50)
    assert [bad.code for bad in sifted.rejected] == ["ERR_TIMESTAMP_TOO_OLD"]
    assert len(sifted.accepted) == 1


def test_a_negative_value_is_a_phones_way_to_say_unknown() -> None:
    (fix,) = sift([at(speed=-1.0, heading=-1.0, accuracy=-1.0, altitude=-3.0)], NOW).accepted
    assert fix == at(altitude=-3.0)


def test_north_is_zero_and_minus_zero_is_zero() -> None:
    (fix,) = sift([at(NOW, -0.0, -0.0, speed=-0.0, heading=360.0, altitude=-0.0)], NOW).accepted
    assert fix.heading == 0
    assert "-" not in msgspec.json.encode(fix).decode()


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (None, "ERR_POSITION_INVALID"),
        ([1, 2, 3], "ERR_POSITION_INVALID"),
        ({}, "ERR_TIMESTAMP_INVALID"),
        ({"timestamp": "2026-01-01T12:00:00Z"}, "ERR_TIMESTAMP_INVALID"),
        ({"timestamp": True}, "ERR_TIMESTAMP_INVALID"),
        ({"timestamp": math.nan}, "ERR_TIMESTAMP_INVALID"),
        ({"timestamp": math.inf}, "ERR_TIMESTAMP_INVALID"),
        ({"timestamp": 10**40}, "ERR_TIMESTAMP_INVALID"),
        ({"timestamp": NOW * 1e6}, "ERR_TIMESTAMP_INVALID"),
        ({"timestamp": int(NOW * 1000)}, "ERR_TIMESTAMP_MILLISECONDS"),
        ({"timestamp": EARLIEST_S * 1000}, "ERR_TIMESTAMP_MILLISECONDS"),
        ({"timestamp": LATEST_S + 1}, "ERR_TIMESTAMP_FUTURE"),
        ({"timestamp": 2**32}, "ERR_TIMESTAMP_FUTURE"),
        ({"timestamp": 0}, "ERR_TIMESTAMP_TOO_OLD"),
        ({"timestamp": -5}, "ERR_TIMESTAMP_TOO_OLD"),
        ({"timestamp": EARLIEST_S - 0.001}, "ERR_TIMESTAMP_TOO_OLD"),
        ({"timestamp": NOW}, "ERR_LATITUDE_INVALID"),
        ({"timestamp": NOW, "latitude": 90.0001, "longitude": 0}, "ERR_LATITUDE_INVALID"),
        ({"timestamp": NOW, "latitude": "45", "longitude": 0}, "ERR_LATITUDE_INVALID"),
        ({"timestamp": NOW, "latitude": 45}, "ERR_LONGITUDE_INVALID"),
        ({"timestamp": NOW, "latitude": 45, "longitude": -181}, "ERR_LONGITUDE_INVALID"),
        ({"timestamp": NOW, "latitude": 45, "longitude": 16, "battery": 255}, "ERR_POSITION_INVALID"),
        ({"timestamp": NOW, "latitude": 45, "longitude": 16, "speed": 1e308}, "ERR_POSITION_INVALID"),
        ({"timestamp": NOW, "latitude": 45, "longitude": 16, "speed": math.nan}, "ERR_POSITION_INVALID"),
        ({"timestamp": NOW, "latitude": 45, "longitude": 16, "heading": 361}, "ERR_POSITION_INVALID"),
        ({"timestamp": NOW, "latitude": 45, "longitude": 16, "id": ""}, "ERR_POSITION_INVALID"),
        ({"timestamp": NOW, "latitude": 45, "longitude": 16, "id": 10**40}, "ERR_POSITION_INVALID"),
    ],
)
def test_a_bad_item_is_named_for_what_is_wrong(item: Any, code: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(item, Position)
    found, message = diagnose(item)
    assert found == code
    assert len(message) > 10


known = st.none() | st.floats(0, 1e6)
fixes = st.builds(
    Position,
    timestamp=st.integers(int(EARLIEST_S * 1000), int(LATEST_S * 1000)).map(lambda ms: ms / 1000),
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    accuracy=known,
    speed=known,
    heading=st.none() | st.floats(0, 360),
    altitude=st.none() | st.floats(-20_000, 100_000),
    battery=st.none() | st.floats(0, 1),
    id=st.none() | st.text(min_size=1, max_size=64),
)


@given(st.lists(fixes, max_size=20))
def test_what_was_packed_comes_back_to_the_last_bit(batch: list[Position]) -> None:
    body = pack(batch)
    assert unpack(body) == batch
    assert unpack_times_ms(body) == [fix.at_ms for fix in batch]


def test_an_unknown_form_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="format"):
        unpack(b"\x07" + pack([at()])[1:])


@given(st.lists(fixes, max_size=20))
def test_sifting_twice_changes_nothing_more(batch: list[Position]) -> None:
    once = sift(batch, NOW).accepted
    assert sift(once, NOW).accepted == once


@given(st.lists(fixes, max_size=6), st.booleans())
def test_the_quick_check_of_a_batch_says_what_the_slow_one_says(batch: list[Position], in_order: bool) -> None:
    if in_order:
        batch = sorted(batch, key=lambda fix: fix.timestamp)
    sifted = sift(batch, LATEST_S)
    one_by_one = [sift([fix], LATEST_S).accepted[0] for fix in batch]
    assert sifted.accepted == one_by_one
    if sifted.packed is not None:
        times = [fix.at_ms for fix in batch]
        assert times == sorted(set(times))
        assert not any(fix.id for fix in batch)
        assert unpack(sifted.packed) == one_by_one


def test_distances_are_right_across_the_antimeridian_and_at_the_poles() -> None:
    assert distance_m(at(latitude=0, longitude=179.9), at(latitude=0, longitude=-179.9)) == pytest.approx(
        22_239, rel=0.001
    )
    assert distance_m(at(latitude=90, longitude=0), at(latitude=90, longitude=123)) == pytest.approx(0, abs=0.01)
    assert distance_m(at(latitude=90), at(latitude=-90)) == pytest.approx(20_015_115, rel=0.001)
    zagreb, split = at(latitude=45.815, longitude=15.9819), at(latitude=43.5081, longitude=16.4402)
    assert distance_m(zagreb, split) == pytest.approx(259_100, rel=0.002)


def test_null_island_and_jumps_are_doubted() -> None:
    assert doubts(None, at(latitude=0.0, longitude=0.0)) == ("null_island",)
    assert doubts(at(NOW), at(NOW + 1, latitude=45.9)) == ("jump",)
    assert doubts(at(NOW), at(NOW + 1, latitude=16.0, longitude=45.8)) == ("jump",)  # swapped
    assert plausible(at(NOW), at(NOW + 3600, latitude=46.8))
    assert plausible(at(NOW, accuracy=3000.0), at(NOW + 1, latitude=45.82))  # a cell tower's fix, then a satellite's


def test_the_van_is_where_the_newest_trusted_fix_is() -> None:
    here, away, there = at(NOW), at(NOW + 1, latitude=48.0), at(NOW + 2)
    nowhere = at(NOW + 3, latitude=0.0, longitude=0.0)
    assert newest_plausible([]) is None
    assert newest_plausible([nowhere]) is None
    assert newest_plausible([here, nowhere]) == here
    assert newest_plausible([here, away]) == here
    assert newest_plausible([here, away, there]) == there
    moved = at(NOW + 2, latitude=48.0)
    assert newest_plausible([here, away, moved]) == moved
