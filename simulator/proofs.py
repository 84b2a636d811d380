"""What a driver hands in at a stop: note, signature, photos, scanned barcodes, as the order asks for and chance has
it.
"""

from __future__ import annotations

from random import Random
from uuid import UUID, uuid5

from simulator.scenario import Scenario
from simulator.wire import Attachment, Form, Scan, ScanInfo, Stop

FILES = UUID("b6a3a0a4-4c1e-5d5f-9f57-3a0e2b8f9d02")
"""The name space of attachment ids."""

NOTES = (
    "Left with the neighbour on the second floor",
    "Handed to the receptionist",
    "Left in the garage as agreed",
    "Box slightly dented, recipient has seen it",
    "Recipient asked for a later time next week",
    "Two boxes, one by one",
)


class Proving:
    """The proofs of one driver's day. ``put_off`` holds the photos that wait until the end of the route."""

    def __init__(self, rng: Random, scenario: Scenario, key: str) -> None:
        self._rng, self._proof, self._key = rng, scenario.proof, key
        self._reasons = scenario.outcome.failure_reasons
        self.put_off: list[Attachment] = []

    def prove(self, stop: Stop, outcome: str) -> tuple[Form | None, list[Attachment]]:
        """The form of a ``success`` or ``failed`` action and the files to send before it; None where nothing is
        handed in.
        """
        asked = stop.requiredProof.get(outcome, {})
        failed = outcome == "failed"
        files: list[Attachment] = []
        signature = None
        if self._wanted(asked.get("signature"), 0.0 if failed else self._proof.signature):
            files.append(self._file(stop, "signature", 0))
            signature = files[-1].id
        photos = [self._file(stop, "image", index) for index in range(self._photos(asked.get("images"), failed))]
        for photo in photos:
            (self.put_off if self._rng.random() < self._proof.later else files).append(photo)
        scans = self._scans(stop, files) if not failed and asked.get("barcode") != "off" else ()
        collected: tuple[Scan, ...] = ()
        if not failed and asked.get("barcode") != "off" and self._rng.random() < self._proof.collected:
            collected = (Scan(None, ScanInfo("added", f"{self._rng.randrange(10**6):06}", "code-128")),)
        note = self._note(asked.get("note"), failed)
        form = Form(note, signature, tuple(photo.id for photo in photos), scans, collected)
        return (None if form == Form() else form), files

    def _wanted(self, rule: str | None, chance: float) -> bool:
        drawn = self._rng.random() < chance
        return rule == "required" or (drawn and rule != "off")

    def _photos(self, rule: str | None, failed: bool) -> int:
        wanted = self._wanted(rule, 0.8 if failed else self._proof.photo)
        most = max(1 if rule == "required" else 0, self._proof.most_photos)
        return self._rng.randint(1, most) if wanted and most else 0

    def _note(self, rule: str | None, failed: bool) -> str | None:
        if rule == "off":
            return None
        if failed:
            return self._rng.choice(self._reasons)
        return self._rng.choice(NOTES) if self._wanted(rule, self._proof.note) else None

    def _scans(self, stop: Stop, files: list[Attachment]) -> tuple[Scan, ...]:
        scans = []
        for index, barcode in enumerate(stop.barcodes):
            info = ScanInfo("success", barcode, "ean-13" if len(barcode) == 13 and barcode.isdigit() else "code-128")
            if self._rng.random() < self._proof.barcode_trouble:
                match self._rng.choice(("unscannable", "replaced", "missing")):
                    case "unscannable":
                        files.append(self._file(stop, "barcode", index))
                        info = ScanInfo("unscannable", images=(files[-1].id,))
                    case "replaced":
                        info = ScanInfo("replaced", f"R{self._rng.randrange(10**8):08}", "code-128")
                    case missing:
                        info = ScanInfo(missing)
            scans.append(Scan(barcode, info))
        return tuple(scans)

    def _file(self, stop: Stop, kind: str, index: int) -> Attachment:
        drawing = f"{kind}/{self._key}/{stop.orderId}/{index}"
        resumable = kind != "signature" and self._rng.random() < self._proof.resumable
        return Attachment(0, str(uuid5(FILES, drawing)), kind, drawing, str(stop.orderId), resumable)
