"""Nominatim's words: ``GET /search?format=jsonv2`` answers a list of places, an error ``{"error": {"message": "…"}}``.

``place_rank`` says what a place is: 26 and 27 are streets, 28 a guess between two house numbers, 29 and 30 houses and
what else has an address of its own. ``address``, which has to be asked for, names its parts by the words of
OpenStreetMap, of which there are many; ``lat`` and ``lon`` are texts.
"""

from collections.abc import Mapping

import msgspec

from backend.places.asking import Dialect
from backend.places.likeness import Found

_STREET, _HOUSE = 26, 29
_ROADS = ("road", "pedestrian", "footway", "path", "square", "cycleway")


class _Place(msgspec.Struct):
    lat: float
    lon: float
    display_name: str = ""
    place_rank: int = 0
    name: str = ""
    address: dict[str, str] = {}


def _question(address: str, most: int) -> Mapping[str, str]:
    return {"q": address, "format": "jsonv2", "addressdetails": "1", "limit": str(most)}


def _results(body: bytes) -> list[Found]:
    return [_found(place) for place in msgspec.convert(msgspec.json.decode(body), list[_Place], strict=False)]


def _found(place: _Place) -> Found:
    parts = dict(place.address)
    number, postcode = parts.pop("house_number", ""), parts.pop("postcode", "")
    street = next((parts[road] for road in _ROADS if road in parts), "")
    return Found(
        place.display_name,
        place.lat,
        place.lon,
        place.place_rank >= _HOUSE,
        _STREET <= place.place_rank < _HOUSE,
        place.name,
        street,
        number,
        postcode,
        tuple(text for word, text in parts.items() if word not in _ROADS and text != place.name),
    )


DIALECT = Dialect("/search", _question, _results)
