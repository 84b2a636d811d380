"""Traces by OpenTelemetry: a span for each request, for each message on a websocket, for the commit that a change
waited for, and for each planning. Imported only where a collector is named, with the libraries that it needs.

A span names the route and never the path or the query: they hold recipients' codes and keys. It holds no position, no
address, nothing of a body. Spans are handed to a thread, by a queue that drops what it has no room for: a collector
that is slow or away costs spans and nothing else. What the libraries read from ``OTEL_…`` in the environment holds too.

Not the framework's own plugin: it names spans by their paths, makes one of each piece of a body and each frame, and
knows nothing of commits.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from backend.domain.errors import Refusal
from backend.server.logs import request_id, trace_id

FLUSH_S = 2.0
"""At the end, for the spans that are not sent yet."""
PROBES = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds, and no news."""

_caller = TraceContextTextMapPropagator()


class Tracing:
    """The traces of a process. ``of_change`` and ``of_plan`` are for those who begin something that ends later: each
    gives a function to be called then, or None where nobody wants to know.
    """

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=Resource.create(_about()), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("codriver")

    def around(self, app: Any) -> Any:
        """The ASGI application, traced."""
        return _Traced(app, self._tracer)

    def of_change(self) -> Callable[[float, float, int, BaseException | None], None] | None:
        """A change waits for its commit. Its end is told with when the commit began (monotonic), the seconds it took,
        how many changes it held, and what failed.
        """
        if not get_current_span().is_recording():
            return None
        span, entered = self._tracer.start_span("commit"), time.monotonic()

        def ended(began: float, took_s: float, changes: int, failure: BaseException | None) -> None:
            span.set_attribute("codriver.commit.changes", changes)
            span.set_attribute("codriver.commit.wait_ms", round(max(0.0, began - entered) * 1000, 3))
            span.set_attribute("codriver.commit.took_ms", round(took_s * 1000, 3))
            if failure is not None:
                named = failure.code if isinstance(failure, Refusal) else type(failure).__name__
                span.set_attribute("error.type", named)
            span.end()

        return ended

    def of_plan(self, stops: int, vehicles: int) -> Callable[[str], None] | None:
        """A planning was handed in; its end is told with its status."""
        sizes = {"codriver.plan.stops": stops, "codriver.plan.vehicles": vehicles}
        span = self._tracer.start_span("plan", attributes=sizes)
        if not span.is_recording():
            return None

        def ended(status: str) -> None:
            span.set_attribute("codriver.plan.status", status)
            if status == "E":
                span.set_status(StatusCode.ERROR)
            span.end()

        return ended

    def close(self) -> None:
        """Send what is left, for a moment."""
        flushing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)


class _Traced:
    def __init__(self, app: Any, tracer: Any) -> None:
        self.app = app
        self._tracer = tracer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] not in PROBES:
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._messages(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _request(self, scope: Any, receive: Any, send: Any) -> None:
        known = {"http.request.method": scope["method"], "url.scheme": scope["scheme"], **_named()}
        span = self._tracer.start_span(scope["method"], _context_of(scope), SpanKind.SERVER, known)
        if not span.is_recording():
            await self._under(span, self.app(scope, receive, send))
            return

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                if message["status"] >= 500:
                    span.set_status(StatusCode.ERROR)
            await send(message)

        try:
            await self._under(span, self.app(scope, receive, noting))
        finally:
            if route := scope.get("path_template"):
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
            span.end()

    async def _under(self, span: Span, answering: Any) -> None:
        token = contexts.attach(set_span_in_context(span))
        trace_id.set(f"{span.get_span_context().trace_id:032x}")
        try:
            await answering
        finally:
            contexts.detach(token)

    async def _messages(self, scope: Any, receive: Any, send: Any) -> None:
        """One who receives is done with what came before. A message begins a trace of its own, as a socket is open for
        hours; it is linked to the caller's.
        """
        caller = get_current_span(_context_of(scope)).get_span_context()
        links = [Link(caller)] if caller.is_valid else []
        span = INVALID_SPAN

        async def hearing() -> Any:
            nonlocal span
            span.end()
            contexts.attach(contexts.Context())
            message = await receive()
            if message["type"] == "websocket.receive":
                route = scope.get("path_template", "")
                size = len(message.get("text") or message.get("bytes") or "")
                known = {"http.route": route, "codriver.message.size": size, **_named()}
                span = self._tracer.start_span(f"MESSAGE {route}", contexts.Context(), SpanKind.SERVER, known, links)
                contexts.attach(set_span_in_context(span))
                trace_id.set(f"{span.get_span_context().trace_id:032x}")
            return message

        try:
            await self.app(scope, hearing, send)
        finally:
            span.end()


def _context_of(scope: Any) -> Any:
    """The caller's, from its ``traceparent`` and ``tracestate``; an empty one where it says nothing sound."""
    carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in _CARRIERS}
    return _caller.extract(carried, contexts.Context())


_CARRIERS = (b"traceparent", b"tracestate")


def _named() -> dict[str, str]:
    return {"codriver.request_id": request_id.get()}


def _about() -> dict[str, str | int]:
    """Of the process. Where the environment gives the service a name, that one holds."""
    about: dict[str, str | int] = {"process.pid": os.getpid()}
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        about["service.name"] = "codriver"
    with contextlib.suppress(PackageNotFoundError):  # served from its sources
        about["service.version"] = version("codriver")
    return about
