"""A synthetic town for a fleet: depots, vans, drivers and orders at believable places along the main streets of
Zagreb.

Everything is drawn from a seed: the same seed gives the same documents, byte for byte. The people and firms are
invented; the streets run about where the real ones do, so that the map looks right over any base map.
"""

from __future__ import annotations

from itertools import accumulate
from math import cos, radians
from random import Random
from typing import Any

from msgspec import Struct

from simulator.geography import Point, bearing, between, metres_between, moved

TIME_ZONE = "Europe/Zagreb"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(","))


class Street(Struct, frozen=True):
    """A street as a straight run between two points, with its district."""

    name: str
    district: str
    start: Point
    end: Point


class Town(Struct, frozen=True):
    """The documents to send: the body of ``PUT /api/fleet`` and order objects of ``create_or_update_orders``."""

    fleet: dict[str, Any]
    orders: list[dict[str, Any]]


_S = Street
STREETS = (
    _S("Ilica", "10000 Zagreb", (45.8131, 15.9755), (45.8152, 15.9400)),
    _S("Ilica", "10090 Zagreb", (45.8152, 15.9400), (45.8133, 15.9050)),
    _S("Vlaška ulica", "10000 Zagreb", (45.8135, 15.9795), (45.8142, 15.9990)),
    _S("Maksimirska cesta", "10000 Zagreb", (45.8145, 15.9990), (45.8240, 16.0330)),
    _S("Avenija Dubrava", "10040 Zagreb", (45.8240, 16.0330), (45.8290, 16.0790)),
    _S("Savska cesta", "10000 Zagreb", (45.8075, 15.9660), (45.7840, 15.9480)),
    _S("Ulica grada Vukovara", "10000 Zagreb", (45.8005, 15.9580), (45.8005, 16.0150)),
    _S("Slavonska avenija", "10000 Zagreb", (45.7925, 15.9700), (45.7985, 16.0560)),
    _S("Ljubljanska avenija", "10090 Zagreb", (45.7930, 15.9400), (45.7985, 15.8900)),
    _S("Heinzelova ulica", "10000 Zagreb", (45.8120, 16.0065), (45.7975, 16.0085)),
    _S("Avenija Marina Držića", "10000 Zagreb", (45.8080, 15.9985), (45.7850, 16.0010)),
    _S("Selska cesta", "10000 Zagreb", (45.8110, 15.9500), (45.7890, 15.9455)),
    _S("Zagrebačka avenija", "10090 Zagreb", (45.8010, 15.9380), (45.8060, 15.8850)),
    _S("Avenija Dubrovnik", "10020 Zagreb", (45.7740, 15.9350), (45.7760, 16.0050)),
    _S("Avenija Većeslava Holjevca", "10020 Zagreb", (45.7860, 15.9770), (45.7610, 15.9830)),
    _S("Sarajevska cesta", "10020 Zagreb", (45.7740, 15.9980), (45.7570, 15.9900)),
    _S("Ksaverska cesta", "10000 Zagreb", (45.8250, 15.9720), (45.8410, 15.9690)),
    _S("Ribnjak", "10000 Zagreb", (45.8145, 15.9805), (45.8200, 15.9820)),
    _S("Medveščak", "10000 Zagreb", (45.8190, 15.9790), (45.8290, 15.9760)),
    _S("Horvaćanska cesta", "10110 Zagreb", (45.7900, 15.9470), (45.7890, 15.9150)),
    _S("Tratinska ulica", "10000 Zagreb", (45.8050, 15.9620), (45.8030, 15.9430)),
    _S("Radnička cesta", "10000 Zagreb", (45.8050, 16.0010), (45.7910, 16.0250)),
    _S("Ulica kralja Zvonimira", "10000 Zagreb", (45.8105, 15.9900), (45.8125, 16.0180)),
    _S("Petrova ulica", "10000 Zagreb", (45.8165, 15.9930), (45.8190, 16.0120)),
    _S("Jarunska ulica", "10110 Zagreb", (45.7890, 15.9420), (45.7815, 15.9270)),
    _S("Remetinečka cesta", "10020 Zagreb", (45.7770, 15.9590), (45.7610, 15.9450)),
    _S("Karlovačka cesta", "10020 Zagreb", (45.7680, 15.9500), (45.7550, 15.9270)),
    _S("Aleja Bologne", "10090 Zagreb", (45.8115, 15.9000), (45.8155, 15.8560)),
    _S("Branimirova ulica", "10000 Zagreb", (45.8060, 15.9800), (45.8080, 16.0280)),
    _S("Čulinečka cesta", "10040 Zagreb", (45.8230, 16.0520), (45.8080, 16.0620)),
    _S("Bukovačka cesta", "10000 Zagreb", (45.8230, 16.0130), (45.8380, 16.0160)),
    _S("Baštijanova ulica", "10000 Zagreb", (45.8030, 15.9500), (45.7990, 15.9520)),
)

_METRES = list(accumulate(metres_between(street.start, street.end) for street in STREETS))

DEPOTS = (
    ("DEPOT-E", "Depot Žitnjak", "Radnička cesta 228, 10000 Zagreb, Croatia", 45.7925, 16.0362),
    ("DEPOT-W", "Depot Jankomir", "Velimira Škorpika 11, 10090 Zagreb, Croatia", 45.7968, 15.8731),
)

FIRST_NAMES = _listed(
    """
    Ana, Marko, Ivana, Luka, Petra, Ivan, Maja, Josip, Nikolina, Tomislav, Lucija, Filip, Katarina, Dino, Marija,
    Goran, Sara, Mateo, Vesna, Hrvoje, Iva, Stjepan, Lana, Karlo, Dora, Zoran, Martina, Bruno, Tea, Davor, Nika,
    Igor, Ema, Damir, Jelena, Antonio, Mirjana, Krešimir
    """
)
LAST_NAMES = _listed(
    """
    Horvat, Kovačević, Babić, Marić, Jurić, Novak, Kovačić, Vuković, Knežević, Marković, Petrović, Matić, Tomić,
    Pavlović, Kovač, Božić, Blažević, Grgić, Pavić, Radić, Perić, Filipović, Šarić, Lovrić, Vidović, Perković,
    Popović, Bošnjak, Jukić, Barišić, Klarić, Vidaković, Mandić
    """
)
SHOPS = _listed(
    """
    Pekara Zlatno klasje, Ljekarna Kamilica, Cvjećarna Visibaba, Knjižara Papirnati brod, Caffe bar Toranj, Restoran
    Stara lipa, Optika Vidik, Zlatarna Biser, Ured Linija i kut, Mesnica Dobra šnita, Frizerski salon Uvojak, Dječji
    vrtić Bubamara, Servis bicikala Žbica, Stomatološka ordinacija Osmijeh, Papirnica Olovka, Trgovina Mali dućan,
    Vinoteka Kapljica, Veterinarska ambulanta Šapa, Hostel Zeleni kat, Studio Plavi kadar, Autodijelovi Klip, Bistro
    Tri žlice, Ljekarna Lavanda, Slastičarnica Vanilija
    """
)
NOTES = (
    "Ring twice, the bell is quiet",
    "Entrance from the courtyard",
    "Deliver at the back door",
    "Third floor, no lift",
    "Call ten minutes before arrival",
    "Leave with the receptionist",
    "Dog in the yard, friendly",
    "Cash desk knows about it",
)


def town(seed: int, date: str, drivers: int, orders: int) -> Town:
    """So many drivers with their vans, and orders for one date (YYYY-MM-DD)."""
    rng = Random(f"town/{seed}")
    return Town(_fleet(rng, drivers), [order(rng, date, seed, number) for number in range(1, orders + 1)])


def _fleet(rng: Random, count: int) -> dict[str, Any]:
    skills = [{"code": "SK-COLD", "name": "Cold chain"}, {"code": "SK-HEAVY", "name": "Heavy goods"}]
    features = [{"code": "FR", "name": "Refrigerated"}, {"code": "TL", "name": "Tail lift"}]
    places = [
        {"locationNo": number, "locationName": name, "address": address, "latitude": latitude, "longitude": longitude}
        for number, name, address, latitude, longitude in DEPOTS
    ]
    vehicles, drivers = [], []
    for number in range(1, count + 1):
        cold, heavy = number % 3 == 1, number % 3 == 2
        vehicles.append(
            {
                "externalId": f"VAN{number:03}",
                "registration": f"ZG {rng.randint(1000, 9999)}-{''.join(rng.choices('ABCDEFGHKLMPRSTV', k=2))}",
                "label": f"Van {number}",
                "features": ["FR"] if cold else ["TL"] if heavy else [],
                "capacity1": rng.choice((38, 42, 46)),
            }
        )
        _, _, address, latitude, longitude = DEPOTS[number % 3 == 0]
        depot = {"latitude": latitude, "longitude": longitude, "address": address}
        drivers.append(
            {
                "externalId": f"DRV{number:03}",
                "serial": f"{number:03}",
                "name": f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}",
                "phone": f"+385 9{rng.choice('1258')} {rng.randint(200, 999)} {rng.randint(1000, 9999)}",
                "skills": ["SK-COLD"] if cold else ["SK-HEAVY"] if heavy else [],
                "vehicle": f"VAN{number:03}",
                "workTime": {"from": "08:00", "to": "14:00"},
                "enabled": True,
                "startLocation": depot,
                "endLocation": depot,
            }
        )
    return {
        "skills": skills,
        "vehicleFeatures": features,
        "locations": places,
        "vehicles": vehicles,
        "drivers": drivers,
    }


def order(rng: Random, date: str, seed: int, number: int) -> dict[str, Any]:
    """One order of ``create_or_update_orders`` at a place of the town."""
    place, address = _address(rng)
    shop = rng.random() < 0.45
    person = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
    kind = rng.choices("DPT", (86, 9, 5))[0]
    made: dict[str, Any] = {
        "orderNo": f"ZG-{date.replace('-', '')[2:]}-{number:05}",
        "date": date,
        "type": kind,
        "duration": rng.choice((5, 8, 10, 10, 12, 15)) if kind != "T" else rng.choice((20, 30)),
        "priority": rng.choices("LMHC", (10, 74, 13, 3))[0],
        "load1": 0 if kind == "T" else rng.choice((1, 1, 2, 2, 3, 4, 6)),
        "location": {
            "locationNo": f"L{seed}-{number:05}",
            "locationName": rng.choice(SHOPS) if shop else person,
            "address": address,
            "latitude": round(place[0], 6),
            "longitude": round(place[1], 6),
        },
        "timeWindows": _windows(rng, shop),
        "skills": rng.choices(([], ["SK-COLD"], ["SK-HEAVY"]), (86, 8, 6))[0],
        "phone": f"+385 9{rng.choice('1258')} {rng.randint(200, 999)} {rng.randint(1000, 9999)}",
        "email": f"recipient{number}@example.com",
        "notificationPreference": "dont_notify",
    }
    if rng.random() < 0.35:
        made["notes"] = rng.choice(NOTES)
    if kind == "D":
        made["barcode"] = [{"barcode": _ean13(rng)} for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
    return made


def _address(rng: Random) -> tuple[Point, str]:
    """A house on a street: odd numbers on the left, even on the right, about one number every eight metres."""
    street = rng.choices(STREETS, cum_weights=_METRES)[0]
    share = rng.uniform(0.02, 0.98)
    number = 1 + int(share * metres_between(street.start, street.end) / 8.0)
    side = radians(bearing(street.start, street.end) + (90.0 if number % 2 == 0 else -90.0))
    back = rng.uniform(14.0, 60.0)
    on_street = between(street.start, street.end, share)
    from_street = moved(on_street, back * cos(side), back * cos(side - radians(90.0)))
    return from_street, f"{street.name} {number}, {street.district}, Croatia"


def _windows(rng: Random, shop: bool) -> list[dict[str, str]]:
    """Mostly none, else in the morning: a plan then sends nearly every van out when the day begins."""
    if shop:
        choices = ((), ("08:00", "10:00"), ("08:30", "11:00"), ("09:00", "12:00"))
        weights = (45, 20, 20, 15)
    else:
        choices = ((), ("08:00", "11:00"), ("09:00", "13:00"), ("11:00", "14:00"))
        weights = (60, 20, 14, 6)
    window = rng.choices(choices, weights)[0]
    return [{"twFrom": window[0], "twTo": window[1]}] if window else []


def _ean13(rng: Random) -> str:
    """An EAN-13 with its check digit, of the range for use inside a company."""
    digits = "2" + "".join(rng.choices("0123456789", k=11))
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-total % 10)
