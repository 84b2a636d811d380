"""The tables of the OptimoRoute document, row by row."""

import re
from collections.abc import Iterator

_METHOD = re.compile(r"(?:GET|POST) https://\S+/v1/(\w+)")
_HEADING = re.compile(r"(?:Example )?([A-Z][A-Za-z ]*?)(?: Object| object|(?<=Status)|(?<=Values)|(?<=fields))")
_HEADER = re.compile(r"\|( [A-Z][A-Za-z /]* \|)+")
_FIRST_CELL = re.compile(r"(\{?\w+?\}?)(?:mandatory|optional)? \|")
_PARTS = {
    "Parameters": "request",
    "Response": "response",
    "Error and Warning Codes": "errors",
    "General error codes": "errors",
}


def rows(text: str) -> list[str]:
    """Every row of every table as ``method/part/[Object/]name``, in order."""
    return list(_rows(text.splitlines()))


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
