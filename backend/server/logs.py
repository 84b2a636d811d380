"""The log: lines for people or objects for machines, each with the request it belongs to."""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; empty outside of one."""
trace_id: ContextVar[str] = ContextVar("trace_id", default="")
"""Of the trace that it is part of, where there are traces."""
_encode = msgspec.json.Encoder().encode


def to_stderr(level: str, form: str, process: int | None = None) -> None:
    """Log to standard error. ``form`` is ``text`` or ``json``; ``process`` the number of this one, where there are
    several.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Objects(process) if form == "json" else Lines(process))
    logging.basicConfig(handlers=[handler], level=level.upper())


class Lines(logging.Formatter):
    """``2026-03-02 07:00:00,000 INFO [process] logger message (request …)``"""

    def __init__(self, process: int | None) -> None:
        name = "" if process is None else f"[{process}] "
        super().__init__(f"%(asctime)s %(levelname)s {name}%(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        return f"{line} (request {named})" if (named := request_id.get()) else line


class Objects(logging.Formatter):
    """One JSON object a line: ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``; ``request``, ``trace_id``,
    ``process``, ``trace``, and whatever a message is logged with as ``extra={"fields": {…}}``, where they are.
    """

    def __init__(self, process: int | None) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if named := request_id.get():
            told["request"] = named
        if traced := trace_id.get():
            told["trace_id"] = traced
        if self._process is not None:
            told["process"] = self._process
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return _encode(told).decode()
