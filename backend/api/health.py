"""For operators: is the process up, are its stores reachable, and how is it doing."""

from typing import Any

from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

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
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


handlers = [healthz, readyz, metrics]
