"""The allowed values at the place where a decoder refused a value, for error messages."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

_PLACE = re.compile(r"^Invalid (?:enum )?value .* - at `(?:key in )?\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_inspect = cache(inspect.type_info)
_MOST = 20  # more are in the schema


def choices(error: msgspec.ValidationError, kind: Any) -> tuple[str, ...]:
    """The values that ``kind`` allows at the place that the decoder's ``error`` names.

    Empty where the error is about something else, or where there are too many to list.
    """
    place = _PLACE.match(str(error))
    if place is None:
        return ()
    found = _each(_inspect(kind))
    for name, index in _STEP.findall(place[1]):
        found = [inner for outer in found for inner in _inside(outer, name, index)]
    allowed = tuple(dict.fromkeys(str(value) for each in found for value in _values(each)))
    return allowed if len(allowed) <= _MOST else ()


def _each(kind: inspect.Type) -> list[inspect.Type]:
    return [inner for each in kind.types for inner in _each(each)] if isinstance(kind, inspect.UnionType) else [kind]


def _inside(kind: inspect.Type, name: str, index: str) -> Iterator[inspect.Type]:
    """What may stand in a value of this kind under a name, or at an index; ``...`` is any key of a mapping."""
    match kind:
        case inspect.StructType(fields=fields) if name:
            for field in fields:
                if field.encode_name == name:
                    yield from _each(field.type)
            if kind.tag_field == name:
                yield inspect.LiteralType((kind.tag,))
        case inspect.DictType(value_type=inner) if index == "...":
            yield from _each(inner)
        case inspect.CollectionType(item_type=inner) if index:
            yield from _each(inner)
        case inspect.TupleType(item_types=inner) if index.isdigit() and int(index) < len(inner):
            yield from _each(inner[int(index)])


def _values(kind: inspect.Type) -> Iterable[Any]:
    match kind:
        case inspect.EnumType(cls=cls):
            return [member.value for member in cls]
        case inspect.LiteralType(values=values):
            return values
        case _:
            return ()
