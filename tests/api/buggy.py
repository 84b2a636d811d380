"""``codriver`` with a bug in some verbs of each dialect. Run as a program."""

from typing import Any

from backend.cli import main
from backend.service import field, orders, watch

SAID = "Kolodvorska 7"


async def buggy(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError(SAID)


if __name__ == "__main__":
    field.record = field.act = orders.find = watch.subscribe = buggy
    main()
