"""Files from drivers' phones: in one request as a form, or by the tus protocol 1.0.0, which goes on after a cut.

tus is described at https://tus.io/protocols/resumable-upload; the extensions are creation, creation-with-upload,
checksum, expiration and termination.
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import wraps
from typing import Any, Literal

import msgspec
from litestar import HttpMethod, Request, Response, post, route
from litestar.openapi.datastructures import ResponseSpec

from backend.api import auth, body, problems
from backend.api.forms import OVERHEAD_BYTES, Form, pieces
from backend.domain.errors import Refusal
from backend.service import attach, uploads
from backend.service.uploads import State

Call = Request[Any, Any, Any]

VERSION = "1.0.0"
ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
STREAM = "application/offset+octet-stream"
METADATA_BYTES = 4096


class Stored(msgspec.Struct, frozen=True):
    """``type`` is the media type that the content shows, ``size`` bytes, ``sha256`` 64 hex digits."""

    id: str
    kind: str
    type: str
    size: int
    sha256: str


class FormIn(msgspec.Struct, frozen=True, rename="camel"):
    """The fields of the form, for the published document; they are read one by one as they come."""

    file: bytes
    kind: Literal["signature", "image", "barcode"]
    id: str
    order_id: str | None = None
    sha256: str | None = None


@post(
    "/driver/v1/attachments",
    summary="Hand in a file",
    takes=FormIn,
    takes_as="multipart/form-data",
    gives=Stored,
    request_max_body_size=None,
    responses={200: ResponseSpec(None, description="The same was stored before")},
)
async def post_attachment(request: Call) -> Response[bytes]:
    """A form with `file` (JPEG, PNG, WebP, HEIC or PDF, up to 15 MiB), `kind` (signature, image or barcode), `id` (a
    UUID made by the app), and where known `orderId` and `sha256`.

    201; the same id and content again 200, the same id with other content 409.
    """
    desk, device = auth.desk_of(request), await auth.device(request)
    form = Form(request.headers.get("content-type", ""))
    most_bytes = desk.settings.max_attachment_bytes
    part = await attach.receive(desk, form.file(pieces(request, most_bytes + OVERHEAD_BYTES)))
    try:
        if not form.came:
            raise Refusal("ERR_INVALID", "The form has no file.", "file")
        fields = form.fields
        said = attach.claim(
            fields.get("id"), fields.get("kind"), fields.get("orderId") or None, fields.get("sha256") or None
        )
        stored, fresh = await attach.keep(desk, device, part, said)
    finally:
        await asyncio.shield(desk.media.on_disk(desk.media.discard, part))
    told = Stored(stored.id, stored.kind, stored.type, stored.size, stored.sha256)
    return body.reply(told, 201 if fresh else 200)


Handler = Callable[..., Awaitable[Response[bytes]]]


def tus(handler: Handler) -> Handler:
    """What every answer of the protocol has, refusals too; and what every request must have."""

    @wraps(handler)
    async def answer(request: Call, **path: Any) -> Response[bytes]:
        try:
            if request.headers.get("tus-resumable") != VERSION:
                raise Refusal("ERR_TUS_VERSION", f"Send Tus-Resumable: {VERSION}.", "Tus-Resumable")
            reply = await handler(request, **path)
        except Refusal as refusal:
            reply = problems.on_refusal(request, refusal)
            if refusal.code == "ERR_TUS_VERSION":
                reply.headers["Tus-Version"] = VERSION
        reply.headers["Tus-Resumable"] = VERSION
        reply.headers["Cache-Control"] = "no-store"
        return reply

    return answer


@route(
    ["/driver/v1/uploads", "/driver/v1/uploads/{name:str}"],
    http_method=[HttpMethod.OPTIONS],
    summary="What of tus is spoken here",
    gives=None,
    status_code=200,
    responses={204: ResponseSpec(None, description="In the headers")},
    security=[{}],
)
async def options(request: Call) -> Response[bytes]:
    headers = {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Max-Size": str(auth.desk_of(request).settings.max_attachment_bytes),
        "Tus-Extension": "creation,creation-with-upload,checksum,expiration,termination",
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }
    return Response(b"", status_code=204, headers=headers)


@post("/driver/v1/uploads", summary="Begin a resumable upload", gives=None, request_max_body_size=None)
@tus
async def post_upload(request: Call) -> Response[bytes]:
    """`Upload-Length`, and `Upload-Metadata` with `id`, `kind`, and where known `orderId`, `filename`, `filetype`.

    201 with `Location`. A body is the beginning of the file.
    """
    desk, device = auth.desk_of(request), await auth.device(request)
    if "upload-defer-length" in request.headers:
        raise Refusal("ERR_INVALID", "The length has to be known at the beginning.", "Upload-Defer-Length")
    length = _whole(request, "Upload-Length")
    metadata = request.headers.get("upload-metadata", "")
    known = _metadata(metadata)
    said = attach.claim(known.get("id"), known.get("kind"), known.get("orderId") or None)
    state = await uploads.create(desk, device, said, length, metadata)
    name = state.upload.name
    if _has_body(request):
        state = await _append(request, name, 0)
    public = desk.settings.public_url.rstrip("/") if desk.settings.public_url else ""
    return _reply(state, 201, {"Location": f"{public}/driver/v1/uploads/{name}"})


@route(
    "/driver/v1/uploads/{name:str}",
    http_method=[HttpMethod.HEAD],
    summary="How far an upload is",
    status_code=200,
    gives=None,
)
@tus
async def head_upload(request: Call, name: str) -> Response[bytes]:
    """`Upload-Offset` bytes of `Upload-Length` have come."""
    return await _look(request, name)


@route(
    "/driver/v1/uploads/{name:str}",
    http_method=[HttpMethod.PATCH, HttpMethod.DELETE, HttpMethod.POST],
    summary="Go on with an upload, or give it up",
    gives=None,
    status_code=200,
    responses={204: ResponseSpec(None, description="How far it is now, in the headers")},
    request_max_body_size=None,
)
@tus
async def one_upload(request: Call, name: str) -> Response[bytes]:
    """`PATCH` goes on from `Upload-Offset`, `DELETE` gives it up.

    `POST` with `X-HTTP-Method-Override` is for clients that cannot send the others.
    """
    device = await auth.device(request)  # whoever is nobody is told so, whatever else is wrong
    method: str = request.method
    if method == "POST":
        method = request.headers.get("x-http-method-override", "").upper()
    match method:
        case "HEAD":
            return await _look(request, name)
        case "PATCH":
            if not _has_body(request):
                raise Refusal("ERR_MEDIA_TYPE", f"Send the bytes as Content-Type: {STREAM}.", "Content-Type")
            return _reply(await _append(request, name, _whole(request, "Upload-Offset")), 204)
        case "DELETE":
            await uploads.remove(auth.desk_of(request), device, name)
            return Response(b"", status_code=204)
        case _:
            raise Refusal("ERR_METHOD_NOT_ALLOWED", "POST is for X-HTTP-Method-Override: PATCH, DELETE or HEAD.")


async def _look(request: Call, name: str) -> Response[bytes]:
    state = await uploads.look(auth.desk_of(request), await auth.device(request), name)
    more = {"Upload-Length": str(state.upload.length)}
    if state.upload.metadata:
        more["Upload-Metadata"] = state.upload.metadata
    return _reply(state, 200, more)


async def _append(request: Call, name: str, offset: int) -> State:
    desk, device = auth.desk_of(request), await auth.device(request)
    body_pieces = pieces(request, desk.settings.max_attachment_bytes)
    return await uploads.append(desk, device, name, offset, body_pieces, _checksum(request))


def _reply(state: State, status: int, more: dict[str, str] | None = None) -> Response[bytes]:
    headers = {"Upload-Offset": str(state.offset), **(more or {})}
    if not state.upload.done:
        headers["Upload-Expires"] = formatdate(state.expires_s, usegmt=True)
    return Response(b"", status_code=status, headers=headers)


def _has_body(request: Call) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == STREAM


def _whole(request: Call, name: str) -> int:
    given = request.headers.get(name.lower(), "")
    if not (given.isascii() and given.isdecimal() and len(given) <= 15):
        raise Refusal("ERR_INVALID", f"{name} takes a whole number of bytes.", name)
    return int(given)


def _metadata(header: str) -> dict[str, str]:
    """Pairs of a key and a value in Base64, parted by commas."""
    if len(header) > METADATA_BYTES:
        raise Refusal("ERR_INVALID", f"Upload-Metadata takes up to {METADATA_BYTES} bytes.", "Upload-Metadata")
    known = {}
    for pair in filter(None, (each.strip() for each in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            known[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            text = f"The value of {key[:40]!r} in Upload-Metadata is not UTF-8 in Base64."
            raise Refusal("ERR_INVALID", text, "Upload-Metadata") from error
    return known


def _checksum(request: Call) -> tuple[str, bytes] | None:
    given = request.headers.get("upload-checksum")
    if given is None:
        return None
    algorithm, _, value = given.strip().partition(" ")
    try:
        expected = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal("ERR_INVALID", "Upload-Checksum takes a name and Base64.", "Upload-Checksum") from error
    if algorithm not in ALGORITHMS or len(expected) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise Refusal("ERR_INVALID", f"Checksums are one of {', '.join(ALGORITHMS)}.", "Upload-Checksum")
    return algorithm, expected


handlers = [post_attachment, options, post_upload, head_upload, one_upload]
