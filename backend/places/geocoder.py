"""Geocoders behind one small interface, and which of them a setting means."""

from typing import Protocol
from urllib.parse import urlsplit

from backend.domain.geocoding import Lookup
from backend.places import nominatim, photon
from backend.places.asking import Asking, Place

# Servers that everybody may use, as long as nobody asks for more than so often; all processes of one operator together.
PUBLIC_PACE_S = {"nominatim.openstreetmap.org": 1.0, "photon.komoot.io": 1.0}
_KINDS = {"photon": photon.DIALECT, "nominatim": nominatim.DIALECT}


class Geocoder(Protocol):
    """Says where an address is; never raises, and answers within seconds."""

    async def find(self, address: str) -> Lookup:
        """What was found, or why the geocoder could not be asked."""
        ...

    async def close(self) -> None: ...


class Offline:
    """Knows no place: addresses are then found among the account's own locations alone."""

    async def find(self, address: str) -> Lookup:
        return Lookup()

    async def close(self) -> None:
        """Nothing was opened."""


def choose(setting: str, operator: str = "", place: Place | None = None) -> Geocoder:
    """The geocoder that the setting means: none for an empty one, else ``photon+https://…`` or ``nominatim+https://…``.

    ``place`` is what the processes of one operator share, where a server wants to be asked no faster than so.
    """
    if not setting:
        return Offline()
    kind, _, url = setting.partition("+")
    pace_s = PUBLIC_PACE_S.get(urlsplit(url).hostname or "", 0.0)
    return Asking(_KINDS[kind], url, pace_s=pace_s, place=place, operator=operator)
