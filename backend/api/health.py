"""For operators: is the process up, are its stores reachable, and how is it doing."""

from collections.abc import Iterator
from typing import Any

from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.api import auth, body
from backend.service import health


@get("/healthz", summary="Is the process up?")
async def healthz() -> Response[bytes]:
    return body.reply({"status": "ok"})


@get("/readyz", summary="Are the stores reachable?")
async def readyz(request: Request[Any, Any, Any]) -> Response[bytes]:
    """503 while they are not."""
    failing = await health.failing(auth.desk_of(request))
    return body.reply(
        {"status": "failing", "failing": failing} if failing else {"status": "ok"}, 503 if failing else 200
    )


@get("/metrics", summary="Figures for Prometheus")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(health.figures(auth.desk_of(request))))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Figures(Collector):
    def __init__(self, figures: list[health.Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for figure in self._figures:
            kind = CounterMetricFamily if figure.grows else GaugeMetricFamily
            if isinstance(figure.value, dict):
                family = kind(figure.name, figure.text, labels=["code"])
                for label, value in figure.value.items():
                    family.add_metric([label], value)
            else:
                family = kind(figure.name, figure.text, value=figure.value)
            yield family


handlers = [healthz, readyz, metrics]
