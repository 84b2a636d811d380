"""An order in plain words, as the server writes it. The browser has the same sentences, ``words.json``."""

from datetime import datetime
from pathlib import Path

import msgspec

from backend.domain.times import zone


class Sentences(msgspec.Struct, frozen=True):
    """``{day}``, ``{eta}``, ``{from}``, ``{to}`` and ``{finished}`` are times in the order's zone.

    ``step`` is how far along: 0 planned, 1 on the way, 2 there, 3 delivered; -1 where it ended otherwise.
    """

    step: int
    headline: str
    detail: str
    eta: str | None = None
    window: str | None = None
    finished: str | None = None


SENTENCES = msgspec.json.decode((Path(__file__).parent / "words.json").read_bytes(), type=dict[str, Sentences])


class Words(msgspec.Struct, frozen=True):
    headline: str
    detail: str
    step: int
    driver: str
    now: str


def tell(
    status: str,
    zone_name: str,
    now_s: float,
    *,
    eta: str | None,
    window: tuple[str, str] | None,
    finished: str | None,
    first_name: str | None,
    stops_before: int | None,
) -> Words:
    """The words for an order. Moments are ISO 8601 in UTC."""
    said = SENTENCES.get(status, SENTENCES["unscheduled"])
    day = finished or (window[0] if window else None) or eta
    values = {
        "{day}": _day(day, zone_name),
        "{eta}": _clock(eta, zone_name),
        "{from}": _clock(window[0] if window else None, zone_name),
        "{to}": _clock(window[1] if window else None, zone_name),
        "{finished}": _clock(finished, zone_name),
    }
    sentence = (finished and said.finished) or (window and said.window) or (eta and said.eta) or said.detail
    for name, value in values.items():
        sentence = sentence.replace(name, value)
    now = datetime.fromtimestamp(now_s, zone(zone_name)).strftime("%H:%M")
    return Words(said.headline, sentence, said.step, _driver(status, first_name, stops_before or 0), now)


def _driver(status: str, first_name: str | None, stops_before: int) -> str:
    """Who is coming and how many stops are before this one; empty where that is not told."""
    if status == "servicing":
        return f"{first_name} is at your address." if first_name else ""
    if status != "on_route":
        return ""
    if stops_before > 0:
        return (
            f"{first_name or 'Your driver'} has {stops_before} {'stop' if stops_before == 1 else 'stops'} before yours."
        )
    return f"{first_name} is driving to you now." if first_name else ""


def _clock(moment: str | None, zone_name: str) -> str:
    return "" if moment is None else _local(moment, zone_name).strftime("%H:%M")


def _day(moment: str | None, zone_name: str) -> str:
    if moment is None:
        return ""
    local = _local(moment, zone_name)
    return f"{local:%A} {local.day} {local:%B}"


def _local(moment: str, zone_name: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(zone(zone_name))
