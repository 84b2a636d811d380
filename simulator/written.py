"""A scenario as a TOML file with every value, what each table is about, and what each value may be."""

from __future__ import annotations

import inspect
from textwrap import fill
from typing import Any, cast

import msgspec

from simulator.scenario import SPREADS, Outage, Scenario

WIDTH = 100


def toml(scenario: Scenario) -> str:
    """The whole scenario; read again it is the same."""
    parts = []
    for table in Scenario.__struct_fields__:
        values = getattr(scenario, table)
        about = " ".join((inspect.getdoc(type(values)) or "").split())
        lines = [fill(about, WIDTH, initial_indent="# ", subsequent_indent="# "), f"[{table}]"]
        kind = cast(msgspec.inspect.StructType, msgspec.inspect.type_info(type(values)))
        for field in kind.fields:
            allowed = _spread(f"{table}.{field.name}") or _allowed(field.type)
            line = f"{field.name} = {_value(getattr(values, field.name))}"
            lines.append(f"{line}  # {allowed}" if allowed else line)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _value(value: Any) -> str:
    match value:
        case Outage(begins=begins, minutes=minutes):
            return f"{{from = {_value(begins)}, minutes = {_value(minutes)}}}"
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case str():
            return msgspec.json.encode(value).decode()
        case float():
            return f"{value:g}" if value == float(f"{value:g}") else repr(value)
    return str(value)


def _spread(name: str) -> str:
    return "{:g} to {:g}, or a table of percentiles".format(*SPREADS[name]) if name in SPREADS else ""


def _allowed(kind: Any) -> str:
    """The range of a number, or of both numbers of a range."""
    if isinstance(kind, msgspec.inspect.TupleType):
        return _allowed(kind.item_types[0])
    least = getattr(kind, "ge", None)
    more = getattr(kind, "gt", None)
    most = getattr(kind, "le", None)
    if most is None:
        return ""
    return f"{least:g} to {most:g}" if least is not None else f"over {more:g}, to {most:g}"
