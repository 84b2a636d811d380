"""What an order is after somebody has said something of it."""

import pytest

from backend.domain.accounts import CustomField, Settings
from backend.domain.drafts import (
    LocationDraft,
    OrderDraft,
    amend,
    amend_location,
    blank,
    custom_values,
    geocoded,
    new_location,
)
from backend.domain.errors import Refusal
from backend.domain.geocoding import Accepted, Lookup
from backend.domain.orders import Location, TimeWindow

ORDER = blank(Settings(default_duration_minutes=7), "o1", "ORD1", "2026-03-02", "l1")
PLACE = Location("l1", "L1", "Shop", "1 High Street", 45.8, 16.0, "gate 7", 3)


def code_of(refusal: pytest.ExceptionInfo[Refusal]) -> str:
    return refusal.value.code


def test_an_order_of_which_nothing_is_said_has_the_accounts_duration() -> None:
    assert (ORDER.duration_min, ORDER.type, ORDER.priority, ORDER.loads) == (7, "T", "M", (0, 0, 0, 0))


def test_nothing_said_changes_nothing() -> None:
    assert amend(ORDER, OrderDraft()) is ORDER


def test_what_is_said_changes_and_the_rest_stays() -> None:
    once = amend(ORDER, OrderDraft(notes="ring", load2=4, custom3="c", time_windows=(TimeWindow("10:00", "11:00"),)))
    twice = amend(once, OrderDraft(load1=1, custom1="a", order_no="ORD2"))
    assert (twice.notes, twice.loads, twice.order_no) == ("ring", (1, 4, 0, 0), "ORD2")
    assert twice.custom == ("a", "", "c", "", "") and twice.time_windows == once.time_windows


def test_a_range_of_dates_is_replaced_as_a_whole() -> None:
    once = amend(ORDER, OrderDraft(allowed_dates=("2026-01-01", "2026-02-01")))
    assert amend(once, OrderDraft(allowed_dates=(None, None))) == ORDER


def test_a_custom_field_that_is_none_goes_away() -> None:
    once = amend(ORDER, OrderDraft(custom_fields={"a": 1, "b": 2}))
    assert amend(once, OrderDraft(custom_fields={"a": None, "c": 3})).custom_fields == {"b": 2, "c": 3}


def test_custom_values_are_fitted_to_their_types() -> None:
    fields = (CustomField("t"), CustomField("n", "number", decimals=1), CustomField("s", "select", options=("x",)))
    assert custom_values(fields, {"t": 5, "n": "1.26", "s": "x"}) == {"t": "5", "n": 1.3, "s": "x"}
    for misfit in ({"s": "y"}, {"n": "inf"}, {"n": "five"}, {"other": 1}):
        with pytest.raises(Refusal) as refused:
            custom_values(fields, misfit)
        assert code_of(refused) == "ERR_INVALID_PARAM_FORMAT"


def test_a_place_keeps_what_is_not_said() -> None:
    assert amend_location(PLACE, LocationDraft(notes="")) == Location(
        "l1", "L1", "Shop", "1 High Street", 45.8, 16.0, "", 3
    )


def test_coordinates_make_an_invalid_place_valid() -> None:
    lost = geocoded(PLACE, LocationDraft(accepted=Accepted(nothing=True), lookup=Lookup()))
    assert lost.valid is False
    assert amend_location(lost, LocationDraft(latitude=1, longitude=2)).valid is True
    assert amend_location(lost, LocationDraft(latitude=1)).valid is False


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (LocationDraft(location_no="L9"), "ERR_LOC_NON_EXISTING_LOC"),
        (LocationDraft(location_no="L9", notes="gate"), "ERR_LOC_NON_EXISTING_LOC"),
        (LocationDraft(location_no="L9", name="Shop"), "ERR_LOC_NOT_VALID"),
        (LocationDraft(location_no="L9", latitude=1), "ERR_LOC_NOT_VALID"),
        (LocationDraft(location_no="L9", longitude=2), "ERR_LOC_NOT_VALID"),
        (LocationDraft(name="Shop"), "ERR_LOC_NOT_VALID"),
        (LocationDraft(name="Shop", latitude=1), "ERR_LOC_NOT_VALID"),
        (LocationDraft(latitude=1, longitude=2), "ERR_LOC_NOT_VALID"),
        (LocationDraft(name="Shop", latitude=1, longitude=float("nan")), "ERR_LOC_NOT_VALID"),
        (LocationDraft(name="Shop", latitude=1, longitude=181), "ERR_LOC_NOT_VALID"),
    ],
)
def test_a_new_place_that_is_nowhere_is_refused(draft: LocationDraft, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        new_location(draft, Location("l2"))
    assert code_of(refused) == code


def test_a_new_place_is_called_by_its_address_where_it_has_no_name() -> None:
    made = new_location(LocationDraft(address="1 High Street", latitude=1, longitude=2), Location("l2"))
    assert (made.name, made.valid) == ("1 High Street", True)
