"""Signed links to photos, signatures and documents: always a download, never run by a browser."""

from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, get
from litestar.response import Stream

from backend.api import auth
from backend.service import files

_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=86400, immutable",
    "Cross-Origin-Resource-Policy": "same-site",
}


@get("/files/{link:str}", summary="A file, by its signed link")
async def get_file(request: Request[Any, Any, Any], link: str) -> Stream:
    """Links are given out in completion details and on the recipient's page, and are good for five to seven days."""
    desk = auth.desk_of(request)
    file = files.open_link(desk, link)
    size, pieces = await files.content(desk, file)
    name = f"{file.sha256[:16]}.{file.type.partition('/')[2]}"
    headers = {**_SAFE, "Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(size)}
    return Stream(_bytes(pieces), media_type=file.type, headers=headers)


async def _bytes(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece


handlers = [get_file]
