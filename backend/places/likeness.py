"""Whether what a geocoder found is all that it was asked for.

Geocoders are forgiving: they answer a misspelt street, a number that they do not know, or a town far away with the next
best thing, and hardly say so. What is found counts as exact where all of this holds, and as partial otherwise:

* It is a house, something else with an address of its own, or a street; not a suburb, a town or a park.
* Every word of its street (of its name, where it is a street) was asked for, or an abbreviation of it ("St", "Blvd");
  and where it is a house with a number, that number. Or every word of its name, as one asks for a shop or a station.
* Every number that was asked for is its house number, or in its postcode, its name or its street.
* What else was asked for beside the street, between the same commas, is in its name or around it; and of all the rest,
  something is the name of a place around it, or its postcode. (Not everything: "USA" and "MA" are told as other words.)
"""

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from backend.domain.geocoding import Lookup, Match
from backend.domain.positions import Position, distance_m

SAME_PLACE_M = 100.0  # a house, and the shops in it
MOST = 5
_LONGEST = 500
_PARTS = re.compile(r"[^\W_]+")
_FEW = 4  # as in Blvd and Pkwy; more of a word is another word, or misspelt
_COMPASS = ("north", "south", "east", "west")


class Found(msgspec.Struct, frozen=True):
    """One result, whichever geocoder told it. ``within`` are the names of the towns and regions that it lies in."""

    label: str
    latitude: float
    longitude: float
    is_house: bool
    is_street: bool
    name: str = ""
    street: str = ""
    number: str = ""
    postcode: str = ""
    within: tuple[str, ...] = ()


def judged(address: str, results: Iterable[Found]) -> Lookup:
    """What an address means: the exact ones of these results, or where there are none, all; each place once."""
    every = [
        Match(found.label[:_LONGEST], found.latitude, found.longitude, not exact(address, found))
        for found in results
        if -90 <= found.latitude <= 90 and -180 <= found.longitude <= 180
    ]
    chosen: list[Match] = []
    for match in [each for each in every if not each.partial] or every:
        if all(_apart_m(match, other) > SAME_PLACE_M for other in chosen):
            chosen.append(match)
    return Lookup(tuple(chosen[:MOST]))


def exact(address: str, found: Found) -> bool:
    """Whether this is all that was asked for; see the rule above."""
    if not found.is_house and not found.is_street:
        return False
    asked = _words(address)
    numbered = _numbered(asked, found.number)
    by_name = _spelled(asked, _words(found.name)) if found.is_house and found.name else None
    road = _spelled(asked, _words(found.street or (found.name if found.is_street else "")))
    if road is None or (found.number and not numbered):
        road = by_name
    if road is None:
        return False
    codes = _words(found.postcode)
    coded = {at for at, word in enumerate(asked) if word in codes}
    named = {at for word in _words(found.name) for at in _spelled(asked, [word]) or ()}
    own = numbered | coded | named | road
    if any(_is_number(word) for at, word in enumerate(asked) if at not in own):
        return False
    around = {word for name in found.within for word in _words(name)}
    known = own | {at for at, word in enumerate(asked) if word in around}
    parts = _between_commas(address)
    beside = {at for part in parts if len(parts) > 1 and part & road for at in part}
    return beside <= known and (own >= set(range(len(asked))) or bool(coded) or known > own)


def _apart_m(one: Match, other: Match) -> float:
    return distance_m(Position(0, one.latitude, one.longitude), Position(0, other.latitude, other.longitude))


def _words(text: str) -> list[str]:
    """Lower case, without accents; "40a" stays one word, "12-14" is two."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return _PARTS.findall("".join(char for char in plain if not unicodedata.combining(char)))


def _numbered(asked: list[str], number: str) -> set[int]:
    """Which of the words are the house number, be it written "40a" or "40 a"; none where it was not asked for."""
    found: set[int] = set()
    for one in re.split("[;,]", number):  # one building may have several
        wanted = "".join(_words(one))
        for length in (1, 2, 3):
            for at in range(len(asked) - length + 1):
                if wanted and "".join(asked[at : at + length]) == wanted:
                    found |= set(range(at, at + length))
    return found


def _spelled(asked: list[str], told: list[str]) -> set[int] | None:
    """Which of the words are these, each taken once; None where one of them was not asked for."""
    found: set[int] = set()
    for same in (str.__eq__, _abbreviates):
        for word in list(told):
            at = next((at for at, said in enumerate(asked) if at not in found and same(said, word)), None)
            if at is not None:
                found.add(at)
                told = _without(told, word)
    return None if told else found


def _without(words: list[str], word: str) -> list[str]:
    at = words.index(word)
    return words[:at] + words[at + 1 :]


def _between_commas(address: str) -> list[set[int]]:
    """For each part of the address, which of its words are in it."""
    parts, at = [], 0
    for part in address.split(","):
        length = len(_words(part))
        parts.append(set(range(at, at + length)))
        at += length
    return parts


def _is_number(word: str) -> bool:
    return any(map(str.isdigit, word))


def _abbreviates(said: str, word: str) -> bool:
    """Whether a word is a short form of another: its beginning, or a few of its letters from the first to the last."""
    if len(said) > len(word):
        said, word = word, said
    if _is_number(said) or (len(said) == 1 and word not in _COMPASS):
        return False
    if word.startswith(said):
        return True
    letters = iter(word)
    few = len(said) <= _FEW and len(said) + 2 <= len(word)
    return few and said[0] == word[0] and said[-1] == word[-1] and all(letter in letters for letter in said)
