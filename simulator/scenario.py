"""What a simulated day is like: a TOML file, every value with a range that is checked and a default that is sane.

A range of two numbers (``[low, high]``) is drawn from evenly, once per occasion. An unknown name or a value out of
its range is an error that says where. An empty file is the default scenario.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
SecondsRange = tuple[Seconds, Seconds]
Count = Annotated[int, Meta(ge=0, le=20)]
Reasons = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=500)], ...], Meta(min_length=1)]


class Gps(Struct, frozen=True, forbid_unknown_fields=True):
    """The receiver: error in metres (one standard deviation and axis), how long an error lasts, and when there is no
    fix at all.
    """

    noise_m: Annotated[float, Meta(ge=0, le=200)] = 4.0
    correlation_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    dropouts_per_hour: Annotated[float, Meta(ge=0, le=60)] = 0.5
    dropout_s: SecondsRange = (15.0, 90.0)


class Reporting(Struct, frozen=True, forbid_unknown_fields=True):
    """How often the app takes a fix while driving and while standing, and how many go into one message."""

    period_s: Annotated[float, Meta(ge=0.2, le=600)] = 5.0
    standing_period_s: Annotated[float, Meta(ge=0.2, le=3600)] = 15.0
    batch: Annotated[int, Meta(ge=1, le=1000)] = 6


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """The way to the server: gaps without signal, messages sent again, overtaken by others, or whose answer never
    arrives.
    """

    gaps_per_hour: Annotated[float, Meta(ge=0, le=60)] = 0.15
    gap_s: SecondsRange = (60.0, 900.0)
    duplicates: Share = 0.01
    reordering: Share = 0.01
    lost_answers: Share = 0.005


class Clock(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a phone's clock is off, in seconds; drawn once per phone. Over +300 s the server refuses what it
    sends.
    """

    offset_s: tuple[Annotated[float, Meta(ge=-86_400, le=86_400)], Annotated[float, Meta(ge=-86_400, le=86_400)]] = (
        -2.0,
        2.0,
    )


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
    """How long a stop takes against its plan, and the least in seconds."""

    pace: tuple[Annotated[float, Meta(ge=0.05, le=10)], Annotated[float, Meta(ge=0.05, le=10)]] = (0.6, 1.25)
    least_s: Seconds = 45.0


class Traffic(Struct, frozen=True, forbid_unknown_fields=True):
    """Travel time against the plan, halts per kilometre and their length, and the speed no van exceeds."""

    pace: tuple[Annotated[float, Meta(ge=0.2, le=10)], Annotated[float, Meta(ge=0.2, le=10)]] = (0.9, 1.15)
    halts_per_km: Annotated[float, Meta(ge=0, le=10)] = 0.5
    halt_s: SecondsRange = (6.0, 45.0)
    fastest_mps: Annotated[float, Meta(ge=2, le=60)] = 22.0


class App(Struct, frozen=True, forbid_unknown_fields=True):
    """How often the app is killed and started again in a day, and how long it stays away. Its outbox is on disk."""

    restarts_per_day: Annotated[float, Meta(ge=0, le=100)] = 0.4
    restart_s: SecondsRange = (5.0, 60.0)


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of it, one table of the file for each."""

    gps: Gps = field(default_factory=Gps)
    reporting: Reporting = field(default_factory=Reporting)
    network: Network = field(default_factory=Network)
    clock: Clock = field(default_factory=Clock)
    outcome: Outcome = field(default_factory=Outcome)
    proof: Proof = field(default_factory=Proof)
    service: Service = field(default_factory=Service)
    traffic: Traffic = field(default_factory=Traffic)
    app: App = field(default_factory=App)


def read(text: str) -> Scenario:
    """The scenario of a TOML document; raises ValueError with the place and the range where it does not fit."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"scenario: {error}") from error
    for name, (low, high) in _ranges(scenario):
        if low > high:
            raise ValueError(f"scenario: {name} goes from {low} down to {high}")
    if scenario.outcome.failed + scenario.outcome.rejected > 1:
        raise ValueError("scenario: outcome.failed and outcome.rejected together exceed 1")
    return scenario


def load(path: Path | None) -> Scenario:
    """The scenario of a file, or the default one."""
    return Scenario() if path is None else read(path.read_text(encoding="utf-8"))


def _ranges(scenario: Scenario) -> list[tuple[str, tuple[float, float]]]:
    return [
        ("gps.dropout_s", scenario.gps.dropout_s),
        ("network.gap_s", scenario.network.gap_s),
        ("clock.offset_s", scenario.clock.offset_s),
        ("service.pace", scenario.service.pace),
        ("traffic.pace", scenario.traffic.pace),
        ("traffic.halt_s", scenario.traffic.halt_s),
        ("app.restart_s", scenario.app.restart_s),
    ]
