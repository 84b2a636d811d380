"""Photon's words: ``GET /api?q=…&limit=…`` answers a GeoJSON FeatureCollection, an error ``{"message": "…"}``.

A feature's ``properties.type`` is what it is: house, street, locality, district, city, county, state, country, other.
A house has ``housenumber`` and ``street``; a street has its name in ``name``. Servers before 0.4 tell no type.
"""

from collections.abc import Mapping

import msgspec

from backend.places.asking import Dialect
from backend.places.likeness import Found


class _Properties(msgspec.Struct):
    osm_key: str = ""
    type: str = ""
    name: str = ""
    housenumber: str = ""
    street: str = ""
    locality: str = ""
    district: str = ""
    postcode: str = ""
    city: str = ""
    county: str = ""
    state: str = ""
    country: str = ""
    countrycode: str = ""


class _Geometry(msgspec.Struct):
    coordinates: tuple[float, float]


class _Feature(msgspec.Struct):
    geometry: _Geometry
    properties: _Properties


class _Features(msgspec.Struct):
    features: list[_Feature]


_decoder = msgspec.json.Decoder(_Features)


def _question(address: str, most: int) -> Mapping[str, str]:
    return {"q": address, "limit": str(most)}


def _results(body: bytes) -> list[Found]:
    return [_found(feature) for feature in _decoder.decode(body).features]


def _found(feature: _Feature) -> Found:
    of = feature.properties
    longitude, latitude = feature.geometry.coordinates
    road = " ".join(filter(None, (of.housenumber, of.street)))
    town = " ".join(filter(None, (of.postcode, of.city)))
    parts = (of.name, road, of.locality, of.district, town, of.county, of.state, of.country)
    return Found(
        ", ".join(dict.fromkeys(filter(None, parts))),
        latitude,
        longitude,
        of.type == "house" or (not of.type and bool(of.housenumber)),
        of.type == "street" or (not of.type and of.osm_key == "highway"),
        of.name,
        of.street,
        of.housenumber,
        of.postcode,
        (of.locality, of.district, of.city, of.county, of.state, of.country, of.countrycode),
    )


DIALECT = Dialect("/api", _question, _results)
