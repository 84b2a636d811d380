"""What a simulated day is like: a TOML file, every value with a range that is checked and a default that is sane.

A range of two numbers (``[low, high]``) is drawn from evenly, once per occasion. A spread is one number, or a
distribution by its percentiles (``[[0, 9.9], [0.5, 10], [1, 66]]``: shares from 0 to 1 with the values below which they
lie). An unknown name or a value out of its range is an error that says where. An empty file is the default scenario;
the named ones beside it are in ``presets/``.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta, Struct, field

from simulator.chance import Share, Spread, flaw

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
SecondsRange = tuple[Seconds, Seconds]
Offset = tuple[Annotated[float, Meta(ge=-86_400, le=86_400)], Annotated[float, Meta(ge=-86_400, le=86_400)]]
Count = Annotated[int, Meta(ge=0, le=20)]
Times = Annotated[float, Meta(ge=0, le=100)]
Reasons = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=500)], ...], Meta(min_length=1)]
Clocktime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
PRESETS = ("calm", "city", "rural", "storm", "hostile")


class Gps(Struct, frozen=True, forbid_unknown_fields=True):
    """The receiver: its accuracy in metres (the radius that holds 68 % of all fixes), how long an error lasts, when
    there is no fix at all; and the blocks whose tall walls reflect: their share of the town, by how many deviations
    the accuracy is worse there, how far a fix is pushed at most, and how many times as often there is none.
    """

    accuracy_m: Spread = ((0, 2), (0.5, 5), (0.95, 9), (1, 20))
    correlation_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    dropouts_per_hour: Annotated[float, Meta(ge=0, le=60)] = 0.5
    dropout_s: SecondsRange = (15.0, 90.0)
    tall_share: Share = 0.0
    tall_worse: Annotated[float, Meta(ge=0, le=5)] = 0.8
    tall_m: Annotated[float, Meta(ge=0, le=200)] = 15.0
    tall_dropouts: Annotated[float, Meta(ge=1, le=100)] = 3.0


class Reporting(Struct, frozen=True, forbid_unknown_fields=True):
    """How often the app takes a fix while driving and while standing, and how many go into one message."""

    period_s: Spread = 5.0
    standing_period_s: Spread = 15.0
    batch: Annotated[int, Meta(ge=1, le=1000)] = 6


class Outage(Struct, frozen=True, forbid_unknown_fields=True, rename={"begins": "from"}):
    """The network of the whole fleet is gone from a time of the day (UTC) on, and back for all at one moment."""

    begins: Clocktime
    minutes: Annotated[float, Meta(gt=0, le=1440)]


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """The way to the server: how long a message is under way, gaps without signal, outages of all at once, messages
    sent again, overtaken by others, or whose answer never arrives.
    """

    delay_s: Spread = 0.0
    gaps_per_hour: Annotated[float, Meta(ge=0, le=60)] = 0.15
    gap_s: SecondsRange = (60.0, 900.0)
    outages: tuple[Outage, ...] = ()
    duplicates: Share = 0.01
    reordering: Share = 0.01
    lost_answers: Share = 0.005


class Clock(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a phone's clock is off, in seconds, and the share of phones whose clock is wrong, and by how much; drawn
    once per phone. What is stamped over 300 s ahead of the server's clock is refused.
    """

    offset_s: Offset = (-2.0, 2.0)
    wrong: Share = 0.0
    wrong_s: Offset = (-7200.0, 900.0)


class Outcome(Struct, frozen=True, forbid_unknown_fields=True):
    """How stops end. Shares of all stops; the rest succeeds."""

    failed: Share = 0.06
    rejected: Share = 0.02
    failure_reasons: Reasons = (
        "Nobody at home, waited five minutes",
        "Shop closed, sign says back tomorrow",
        "Recipient refused the parcel",
        "Address not found, no name on the bell",
        "Gate locked and the phone is not answered",
    )
    rejection_reasons: Reasons = (
        "Parcel is not in the van",
        "Too heavy for one person",
        "Street closed for works all day",
    )


class Proof(Struct, frozen=True, forbid_unknown_fields=True):
    """What is handed in per stop where it is optional; what an order requires is always handed in."""

    signature: Share = 0.6
    photo: Share = 0.35
    most_photos: Count = 2
    note: Share = 0.25
    barcode_trouble: Share = 0.06
    collected: Share = 0.04
    later: Share = 0.1
    """The share of photos that wait for Wi-Fi at the end of the route."""
    resumable: Share = 0.4
    """The share of photos that are handed in piece by piece, by the tus protocol."""


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a stop takes against its plan: log-normal, by its median and the deviation of its logarithm; and the
    least in seconds.
    """

    median: Annotated[float, Meta(ge=0.05, le=10)] = 0.9
    sigma: Annotated[float, Meta(ge=0, le=2)] = 0.3
    least_s: Seconds = 45.0


class Habits(Struct, frozen=True, forbid_unknown_fields=True):
    """What drivers do beside the plan: the share of stops whose start they forget to tell, or whose success they tell
    while still on the way (up to so many seconds before); the share of days that begin late, and how late; breaks; how
    long before the planned departure they come on duty, and how long after it the van moves.
    """

    forgotten_start: Share = 0.03
    early_success: Share = 0.01
    early_s: SecondsRange = (5.0, 60.0)
    late_start: Share = 0.1
    late_s: SecondsRange = (120.0, 1200.0)
    breaks_per_day: Times = 0.3
    break_s: SecondsRange = (300.0, 1800.0)
    on_duty_s: SecondsRange = (120.0, 420.0)
    departure_s: SecondsRange = (0.0, 60.0)


class Traffic(Struct, frozen=True, forbid_unknown_fields=True):
    """Travel time against the plan, halts per kilometre and their length, places where others make it slow down and to
    what speed, and the speed no van exceeds.
    """

    pace: tuple[Annotated[float, Meta(ge=0.2, le=10)], Annotated[float, Meta(ge=0.2, le=10)]] = (0.9, 1.15)
    halts_per_km: Annotated[float, Meta(ge=0, le=10)] = 0.5
    halt_s: SecondsRange = (6.0, 45.0)
    slowings_per_km: Annotated[float, Meta(ge=0, le=50)] = 1.0
    slowing_mps: tuple[Annotated[float, Meta(ge=0.5, le=60)], Annotated[float, Meta(ge=0.5, le=60)]] = (3.0, 8.0)
    fastest_mps: Annotated[float, Meta(ge=2, le=60)] = 22.0


class App(Struct, frozen=True, forbid_unknown_fields=True):
    """How often the app is killed and started again in a day, and how long it stays away. Its outbox is on disk."""

    restarts_per_day: Times = 0.4
    restart_s: SecondsRange = (5.0, 60.0)


class Devices(Struct, frozen=True, forbid_unknown_fields=True):
    """The share of drivers with two devices (one takes fixes, the other tells what is done), and the share of those
    where the other takes fixes too; the share whose battery dies in the day: it lasts so many hours, and is off for so
    many seconds until it is charged.
    """

    second: Share = 0.0
    both: Share = 0.5
    dying: Share = 0.02
    lasts_h: tuple[Annotated[float, Meta(gt=0, le=24)], Annotated[float, Meta(gt=0, le=24)]] = (1.0, 5.0)
    charging_s: SecondsRange = (300.0, 1500.0)


class Office(Struct, frozen=True, forbid_unknown_fields=True):
    """How often in a day the office changes what was sent, while it is driven: the share of changes that cancel an
    order, and that give one to another driver; else the rest of the day is planned anew.
    """

    changes_per_day: Times = 0
    cancelled: Share = 0.35
    moved: Share = 0.35


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of it, one table of the file for each."""

    gps: Gps = field(default_factory=Gps)
    reporting: Reporting = field(default_factory=Reporting)
    network: Network = field(default_factory=Network)
    clock: Clock = field(default_factory=Clock)
    outcome: Outcome = field(default_factory=Outcome)
    proof: Proof = field(default_factory=Proof)
    service: Service = field(default_factory=Service)
    habits: Habits = field(default_factory=Habits)
    traffic: Traffic = field(default_factory=Traffic)
    app: App = field(default_factory=App)
    devices: Devices = field(default_factory=Devices)
    office: Office = field(default_factory=Office)


SPREADS = {
    "gps.accuracy_m": (0, 1000),
    "reporting.period_s": (0.2, 600),
    "reporting.standing_period_s": (0.2, 3600),
    "network.delay_s": (0, 3600),
}
"""The least and the most of each value that may be a distribution."""


@cache
def read(text: str) -> Scenario:
    """The scenario of a TOML document; raises ValueError with the place and the range where it does not fit."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"scenario: {_placed(str(error))}") from error
    for table in Scenario.__struct_fields__:
        for name, value in msgspec.structs.asdict(getattr(scenario, table)).items():
            if problem := _flaw(f"{table}.{name}", value):
                raise ValueError(f"scenario: {table}.{name} {problem}")
    if scenario.outcome.failed + scenario.outcome.rejected > 1:
        raise ValueError("scenario: outcome.failed and outcome.rejected together exceed 1")
    if scenario.office.cancelled + scenario.office.moved > 1:
        raise ValueError("scenario: office.cancelled and office.moved together exceed 1")
    return scenario


def load(named: str | None) -> str:
    """The text of a scenario: a preset by its name, or a file; empty, which is the default one, for None.

    Raises ValueError for what is neither.
    """
    if named is None:
        return ""
    if named in PRESETS:
        return resources.files("simulator").joinpath("presets", f"{named}.toml").read_text(encoding="utf-8")
    path = Path(named)
    if not path.is_file():
        raise ValueError(f"scenario: {named} is no file and none of {', '.join(PRESETS)}")
    return path.read_text(encoding="utf-8")


def digest(scenario: Scenario) -> str:
    """Twelve characters that are the same for the same values, however their file is written."""
    return hashlib.sha256(msgspec.json.encode(scenario)).hexdigest()[:12]


def _flaw(name: str, value: Any) -> str | None:
    """What is wrong with one value that its type cannot say."""
    if name in SPREADS:
        return flaw(value, *SPREADS[name])
    match value:
        case (int() | float() as low, int() | float() as high) if low > high:
            return f"goes from {low} down to {high}"
    return None


def _placed(error: str) -> str:
    """A message of msgspec's with the place first, as it is written in the file."""
    found = re.fullmatch(r"(.*?)(?: - at `\$\.?(.*)`)?", error, re.DOTALL)
    what, where = (found[1], found[2] or "") if found else (error, "")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        tables = {name: kind for name, kind in get_type_hints(Scenario).items() if name == where}
        known = msgspec.structs.fields(tables[where] if tables else Outage if where else Scenario)
        what = f"there is no {unknown[1]}, only {', '.join(field.encode_name for field in known)}"
    return f"{where}: {what}" if where else what
