"""Answers of the server's own, where the application is not asked: whole, as they go over the wire."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] = NO_HEADERS, *, close: bool = True
) -> bytes:
    """``application/problem+json`` (RFC 9457), as the application answers."""
    body = msgspec.json.encode({"title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail})
    lines = {"content-type": "application/problem+json", "content-length": str(len(body)), **headers}
    if close:
        lines["connection"] = "close"
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return STATUS_LINE[status] + head.encode() + b"\r\n" + body
