"""Proof of delivery: what an account requires, compared with what the driver provided."""

from msgspec import structs

from backend.domain.accounts import ProofPolicy, ProofWanted
from backend.domain.events import Form
from backend.domain.orders import Status

NAMES = ("note", "signature", "images", "barcode")


def collected(policy: ProofPolicy) -> bool:
    """Whether the account asks for any proof at all."""
    return any(getattr(asked, name) != "off" for asked in (policy.success, policy.failed) for name in NAMES)


def wanted(policy: ProofPolicy, status: Status) -> ProofWanted | None:
    """What the account asks for when an order ends so; None where it asks for nothing at all."""
    match status:
        case Status.SUCCESS:
            return policy.success
        case Status.FAILED | Status.REJECTED:
            return policy.failed
        case _:
            return None


def asked_for(policy: ProofPolicy, status: Status, form: Form | None) -> Form | None:
    """The form without what the account does not ask for, should a phone have sent it; None where it asks for nothing.

    Scanned barcodes stay: they belong to the goods and not to the proof, and go with the rest of the form alone.
    """
    asked = wanted(policy, status)
    if asked is None or form is None:
        return form
    unwanted = {name for name in NAMES if getattr(asked, name) == "off"}
    if unwanted == set(NAMES):
        return None
    blank = Form()
    return structs.replace(form, **{name: getattr(blank, name) for name in unwanted - {"barcode"}})


def missing(policy: ProofPolicy, status: Status, form: Form | None) -> tuple[str, ...]:
    """Names of the required proof that the form does not hold. It is told, never refused: the phone is already gone."""
    asked = wanted(policy, status)
    if asked is None:
        return ()
    given = form or Form()
    return tuple(name for name in NAMES if getattr(asked, name) == "required" and not getattr(given, name))
