"""For operators: is the process up, are its stores reachable, and how is it doing."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.api import auth, body
from backend.service import figures, health
from backend.service.figurefiles import Figure, Spread


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """``failing`` names the stores that cannot be reached, ``without`` what is missed and not needed."""

    status: Literal["ok", "failing"]
    failing: list[str] = []
    without: list[str] = []


@get("/healthz", summary="Is the process up?", gives=Health)
async def healthz() -> Response[bytes]:
    return body.reply(Health("ok"))


@get("/readyz", summary="Are the stores reachable?", gives=Health)
async def readyz(request: Request[Any, Any, Any]) -> Response[bytes]:
    """503 while they are not. ``without`` names what is missed and not needed."""
    desk = auth.desk_of(request)
    failing = await health.failing(desk)
    if failing:
        return body.reply(Health("failing", failing), 503)
    return body.reply(Health("ok") if desk.hub.sound else Health("ok", without=["redis"]))


@get("/metrics", summary="Figures for Prometheus", gives=str, gives_as="text/plain")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Of several processes behind one address each has its label ``process``."""
    told = exposition(figures.every(auth.desk_of(request)))
    return Response(told, headers={"Content-Type": CONTENT_TYPE_LATEST})


def exposition(every: dict[str, list[Figure]]) -> bytes:
    """The figures of each process, by its number, in Prometheus' form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(every))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, every: dict[str, list[Figure]]) -> None:
        self._every = every

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for process, found in self._every.items():
            for figure in found:
                family = families.get(figure.name)
                if family is None:
                    family = families[figure.name] = _family(figure, bool(process))
                _add(family, figure, [process] if process else [])
        yield from families.values()


def _family(figure: Figure, several: bool) -> Metric:
    labels = [*(["process"] if several else []), *([figure.by] if figure.by else [])]
    if isinstance(figure.value, Spread):
        return HistogramMetricFamily(figure.name, figure.text, labels=labels)
    kind = CounterMetricFamily if figure.grows else GaugeMetricFamily
    return kind(figure.name, figure.text, labels=labels)


def _add(family: Metric, figure: Figure, labels: list[str]) -> None:
    match family, figure.value:
        case HistogramMetricFamily(), Spread(bounds, counts, total):
            names = [*map(repr, bounds), "+Inf"]
            family.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), total)
        case CounterMetricFamily() | GaugeMetricFamily(), dict() as values:
            for label, value in values.items():
                family.add_metric([*labels, label], value)
        case CounterMetricFamily() | GaugeMetricFamily(), float() | int() as value:
            family.add_metric(labels, value)


handlers = [healthz, readyz, metrics]
