"""Proof of delivery: what was asked for against what was given."""

from backend.domain.accounts import ProofPolicy, ProofWanted
from backend.domain.events import Form
from backend.domain.orders import Status


def wanted(policy: ProofPolicy, status: Status) -> ProofWanted | None:
    """What the account asks for when an order ends so; None where it asks for nothing at all."""
    match status:
        case Status.SUCCESS:
            return policy.success
        case Status.FAILED | Status.REJECTED:
            return policy.failed
        case _:
            return None


def missing(policy: ProofPolicy, status: Status, form: Form | None) -> tuple[str, ...]:
    """Names of the required proof that the form does not hold. It is told, never refused: the phone is already gone."""
    asked = wanted(policy, status)
    if asked is None:
        return ()
    given = form or Form()
    return tuple(
        name
        for name in ("note", "signature", "images", "barcode")
        if getattr(asked, name) == "required" and not getattr(given, name)
    )
