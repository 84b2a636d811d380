"""The tables of the OptimoRoute document, row by row, and its examples."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

_METHOD = re.compile(r"(?:GET|POST) https://\S+/v1/(\w+)")
_HEADING = re.compile(r"(?:Example )?([A-Z][A-Za-z ]*?)(?: Object| object|(?<=Status)|(?<=Values)|(?<=fields))")
_HEADER = re.compile(r"\|( [A-Z][A-Za-z /]* \|)+")
_FIRST_CELL = re.compile(r"(\{?\w+?\}?)(?:mandatory|optional)? \|")
_GET_LINE = re.compile(r"curl '(https://[^']+)'")
_EXAMPLES = re.compile(r"(POST )?[Rr]equest body examples?:")
_PARTS = {
    "Parameters": "request",
    "Response": "response",
    "Error and Warning Codes": "errors",
    "General error codes": "errors",
}


def rows(text: str) -> list[str]:
    """Every row of every table as ``method/part/[Object/]name``, in order."""
    return list(_rows(text.splitlines()))


class Example(NamedTuple):
    """A request as the document shows it: a body, or the parameters of its address but for the key."""

    method: str
    body: Any
    query: dict[str, list[str]]


def examples(text: str) -> list[Example]:
    """Every example of a request, mended where it is not JSON, in order."""
    return list(_examples(text.splitlines()))


def _rows(lines: list[str]) -> Iterator[str]:
    section, part, heading = "general", "errors", ""
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line == "Data Objects":
            section, part = "objects", ""
        elif found := _METHOD.fullmatch(line):
            section, part, heading = found[1], "request", ""
        elif line in _PARTS:
            part, heading = _PARTS[line], ""
        elif found := _HEADING.fullmatch(line):
            heading = found[1]
        elif _HEADER.fullmatch(line):
            columns, at = line.count("|") - 1, at + 1  # behind the line of dashes
            while at < len(lines) and (found := _FIRST_CELL.fullmatch(lines[at])):
                yield "/".join(each for each in (section, part, heading, found[1]) if each)
                at = _behind_row(lines, at, columns)


def _behind_row(lines: list[str], at: int, columns: int) -> int:
    """A row is over when all its cells are closed."""
    closed = 0
    while at < len(lines) and closed < columns:
        closed += lines[at].count("|")
        at += 1
    return at


def _examples(lines: list[str]) -> Iterator[Example]:
    method, wanted, depth, body = "", False, 0, ""
    for line in lines:
        if depth or (wanted and line == "{"):
            body, depth = f"{body}{line}\n", depth + line.count("{") - line.count("}")
            if not depth:
                yield Example(method, _mended(body), {})
                body = ""
        elif found := _METHOD.fullmatch(line):
            method = found[1]
        elif found := _GET_LINE.fullmatch(line):
            address = urlsplit(found[1])
            query = parse_qs(address.query, keep_blank_values=True)
            query.pop("key")
            yield Example(address.path.rsplit("/", 1)[1], None, query)
        else:
            wanted = bool(_EXAMPLES.match(line)) or (wanted and not line.startswith("|"))


def _mended(body: str) -> Any:
    """Without commas that are too many, and without braces around a field that has no name."""
    body = re.sub(r',\s*\{(\s*"data": \{[^{}]*\})\s*\}', r",\1", body)
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", body))
