import math

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.squeezing import expand, squeeze

decimals = st.builds(lambda number, places: number / 10**places, st.integers(-(10**11), 10**11), st.integers(0, 8))
anything = st.one_of(decimals, st.floats(allow_nan=False, allow_infinity=False), st.none())


def alike(one: list, other: list) -> bool:
    """To the last bit, and the sign of a zero."""
    return one == other and [math.copysign(1, x) for x in one if type(x) is float] == [
        math.copysign(1, x) for x in other if type(x) is float
    ]


@given(st.lists(st.lists(anything, max_size=60), max_size=5))
def test_columns_come_back_to_the_last_bit(columns: list):
    back = expand(squeeze(columns))
    assert len(back) == len(columns)
    assert all(alike(one, other) for one, other in zip(columns, back, strict=True))


@given(st.lists(st.one_of(decimals, st.none()), max_size=300))
def test_decimals_with_gaps_come_back(column: list):
    assert alike(expand(squeeze([column]))[0], column)


@given(st.lists(st.lists(anything, max_size=20), max_size=5), st.integers(1, 25))
def test_the_last_few_come_back_alone(columns: list, last: int):
    for one, other in zip(columns, expand(squeeze(columns), last), strict=True):
        assert alike(one[-last:], other)


def test_texts_whole_numbers_and_nothing_come_back_as_they_are():
    columns = [["a", None, "b"], [1, 2, 3], [], [None, None], [True, 0.5, 1.0], [-0.0, 1.0], [1e300, 5e-324]]
    assert [list(map(type, column)) for column in expand(squeeze(columns))] == [list(map(type, c)) for c in columns]
    assert all(alike(one, other) for one, other in zip(columns, expand(squeeze(columns)), strict=True))


def test_a_van_that_moves_a_little_takes_little_room():
    column = [round(45.8 + index * 1e-5, 7) for index in range(700)]
    assert len(squeeze([column])) < 0.2 * 9 * len(column)
