"""When what was found is all that was asked for."""

import pytest

from backend.domain.geocoding import Match
from backend.places.likeness import Found, exact, judged

HANOVER = Found(
    "393 Hanover Street, Boston",
    42.3651425,
    -71.0528824,
    True,
    False,
    street="Hanover Street",
    number="393",
    postcode="02113",
    within=("North End", "Boston", "Suffolk County", "Massachusetts", "United States", "US"),
)
PHARMACY = Found("", 1, 1, True, False, "Green Cross Pharmacy", "Hanover Street", "393", "02113", ("Boston",))
ILICA = Found("", 45.8, 15.9, False, True, name="Ilica", postcode="10000", within=("Zagreb", "Hrvatska"))
ZAGREB = Found("Zagreb", 45.8, 15.9, False, False, name="Zagreb", within=("Hrvatska",))
VILLAGE = Found("", 46, 16, True, False, number="40 a", postcode="10345", within=("Gradec", "Hrvatska"))
HIGH = Found(
    "", 40, -83, True, False, street="North High Street", number="1350", postcode="43201", within=("Columbus",)
)
BERLIN = Found("", 52, 13, True, False, street="Hauptstraße", number="12-14", postcode="10827", within=("Berlin",))
SPRINGFIELD = Found("", 40, -89, True, False, street="Main Street", number="5", within=("Springfield", "Illinois"))
SOUTH = Found("", 42, -71, True, False, street="South Street", number="5", postcode="02111", within=("Boston",))


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("393 Hanover St, Boston, MA 02113, USA", HANOVER),
        ("393 hanover street boston", HANOVER),
        ("Hanover St. 393, 02113", HANOVER),
        ("393 Hanover St", HANOVER),
        ("Green Cross Pharmacy, 393 Hanover St, Boston", PHARMACY),
        ("Green Cross Pharmacy, Boston", PHARMACY),
        ("Ilica, Zagreb, Croatia", ILICA),
        ("ilica, 10000 Zagreb", ILICA),
        ("Gradec 40a, 10345", VILLAGE),
        ("Gradec 40 A", VILLAGE),
        ("1350 N High St, Columbus, OH 43201, USA", HIGH),
        ("Hauptstrasse 12-14, Berlin", BERLIN),
        ("Hauptstr. 12-14, 10827 Berlin, Germany", BERLIN),
    ],
)
def test_all_that_was_asked_for_is_exact(address: str, found: Found) -> None:
    assert exact(address, found)


@pytest.mark.parametrize(
    ("address", "found", "because"),
    [
        ("Zagreb", ZAGREB, "a town is no place to deliver to"),
        ("Ilica 40, Zagreb", ILICA, "the number is not known there"),
        ("395 Hanover St, Boston", HANOVER, "it is another number"),
        ("Hanover St, Boston", HANOVER, "no number was asked for"),
        ("393 Hanover St, Apt 7, Boston", HANOVER, "the apartment is not known"),
        ("393 Hanover St, Boston 02110", HANOVER, "it is another postcode"),
        ("393 Hannover St, Boston", HANOVER, "the street is misspelt"),
        ("393 Hanover St, Manchester, UK", HANOVER, "it is in another town"),
        ("5 East Main St, Springfield", SPRINGFIELD, "it is another street"),
        ("5 North St, Boston", SOUTH, "one abbreviation is not two words"),
        ("12 Hauptstrasse, Berlin", BERLIN, "it is one of several houses"),
        ("7 Gradec", VILLAGE, "it is another number"),
        ("", HANOVER, "nothing was asked for"),
        ("東京都", HANOVER, "nothing of it is told"),
    ],
)
def test_anything_less_is_partial(address: str, found: Found, because: str) -> None:
    assert not exact(address, found), because


def test_exact_ones_leave_the_others_out_and_one_house_is_one_place() -> None:
    shop = Found("shop", 42.36515, -71.0528, True, False, "Shop", "Hanover Street", "393", "02113", ("Boston",))
    lookup = judged("393 Hanover St, Boston", [ILICA, HANOVER, shop])
    assert lookup.matches == (Match(HANOVER.label, HANOVER.latitude, HANOVER.longitude),)


def test_without_an_exact_one_all_are_partial_and_few() -> None:
    many = [Found(f"town {n}", 40 + n, 15, False, False) for n in range(20)]
    matches = judged("Springfield", many).matches
    assert len(matches) == 5 and all(match.partial for match in matches)
    assert [match.address for match in matches] == [f"town {n}" for n in range(5)]


def test_results_off_the_earth_are_none() -> None:
    assert judged("x", [Found("x", 91, 0, True, False), Found("x", float("nan"), 0, True, False)]).matches == ()
