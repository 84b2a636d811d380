"""The readiness check: whether everything that the server needs can be reached."""

import asyncio

from backend.service.desk import Desk
from backend.store import people

_PATIENCE_S = 2.0


async def failing(desk: Desk) -> list[str]:
    """The names of the stores that do not answer within two seconds; none where all is well."""
    checks = {
        "database": desk.database.read(lambda conn: people.account(conn, "")),
        "journal": desk.journal.transact(lambda conn: None),
    }
    names = list(checks)
    results = await asyncio.gather(
        *(asyncio.wait_for(check, _PATIENCE_S) for check in checks.values()), return_exceptions=True
    )
    return [name for name, result in zip(names, results, strict=True) if isinstance(result, Exception)]
