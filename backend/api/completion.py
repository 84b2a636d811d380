"""The outcome of an order, in the shape of the OptimoRoute document's completion details."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from backend.api.moments import MomentOut, PositionOut, moment_out, position_out
from backend.domain.events import Form, Scan
from backend.domain.orders import Status
from backend.domain.proof import asked_for
from backend.service.completions import Completion
from backend.service.desk import Desk
from backend.service.files import file_url

_BEGUN = ("servicing", "success", "failed")
_ENDED = ("success", "failed")


class Image(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str
    url: str


class ScanInfoOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    status: Literal["success", "unscannable", "added", "replaced", "missing"]
    scanned: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    images: list[Image] | UnsetType = UNSET


class ScanOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    barcode: str | None
    scan_info: ScanInfoOut


class FormOut(msgspec.Struct, frozen=True, kw_only=True):
    note: str | UnsetType = UNSET
    signature: Image | UnsetType = UNSET
    images: list[Image] | UnsetType = UNSET
    barcode: list[ScanOut] | UnsetType = UNSET
    barcode_collections: list[ScanOut] | UnsetType = UNSET


class CompletionOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What ``completion_out`` tells; ``tracking_url`` is the recipient's page. A field that is absent is ``UNSET``."""

    status: Status
    start_time: MomentOut | UnsetType = UNSET
    start_position: PositionOut | UnsetType = UNSET
    end_time: MomentOut | UnsetType = UNSET
    end_position: PositionOut | UnsetType = UNSET
    form: FormOut | UnsetType = UNSET
    tracking_url: str | UnsetType = msgspec.field(default=UNSET, name="tracking_url")


def completion_out(desk: Desk, completion: Completion, *, plain: bool = False) -> dict[str, Any]:
    """Status, times, positions, form and tracking address, each where it is known.

    ``plain`` links to photos without the data that tells where they were taken, for eyes outside the company.
    """
    record, state = completion.record, completion.state
    answer: dict[str, Any] = {"status": record.status}
    if record.status in _BEGUN and state.started_ms is not None:
        answer["startTime"] = moment_out(state.started_ms, completion.zone)
        if state.start_position is not None:
            answer["startPosition"] = position_out(state.start_position, completion.place)
    if record.status in _ENDED and state.finished_ms is not None:
        answer["endTime"] = moment_out(state.finished_ms, completion.zone)
        if state.end_position is not None:
            answer["endPosition"] = position_out(state.end_position, completion.place)
    form = asked_for(completion.policy, Status(record.status), state.form)
    if form is not None and (filled := _form(desk, completion, form, plain)):
        answer["form"] = filled
    if completion.tracking is not None:
        answer["tracking_url"] = f"{desk.public_url}/t/{completion.tracking}"
    return answer


def _form(desk: Desk, completion: Completion, form: Form, plain: bool) -> dict[str, Any]:
    def images(ids: tuple[str, ...]) -> list[dict[str, str]]:
        return [link for name in ids if (link := image(name))]

    def image(name: str) -> dict[str, str] | None:
        file = completion.files.get(name)
        if file is None:
            return None  # it has not arrived yet
        url = file_url(desk, completion.account_id, file.sha256, file.type, plain=plain)
        return {"type": file.type, "url": url}

    def scans(given: tuple[Scan, ...]) -> list[dict[str, Any]]:
        return [{"barcode": each.barcode, "scanInfo": scan_info(each)} for each in given]

    def scan_info(scan: Scan) -> dict[str, Any]:
        info = scan.info
        fields = {"status": info.status, "scanned": info.scanned, "type": info.type, "images": images(info.images)}
        return {name: value for name, value in fields.items() if value}

    filled = {
        "note": form.note,
        "signature": image(form.signature) if form.signature else None,
        "images": images(form.images),
        "barcode": scans(form.barcode),
        "barcode_collections": scans(form.barcode_collections),
    }
    return {name: value for name, value in filled.items() if value}
