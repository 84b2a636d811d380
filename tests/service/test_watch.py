from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.accounts import Account, Office, Role, Settings
from backend.domain.errors import Refusal
from backend.live.hub import Hub
from backend.service import watch
from backend.service.callers import Acquaintances
from backend.service.identity import digest


class Away:
    """A database that cannot be reached."""

    async def read(self, _: Any) -> None:
        raise Refusal("ERR_UNAVAILABLE", "The database cannot be reached; try again in a moment.")


async def test_a_map_that_cannot_be_opened_while_the_database_is_away_leaves_nothing_behind() -> None:
    """It would count against its key, and be written to for ever."""
    desk: Any = SimpleNamespace(hub=Hub(), database=Away(), acquaintances=Acquaintances())
    caller = Office("k", Account("a", "Demo", Settings()), Role.VIEWER)
    outlet: Any = None
    with pytest.raises(Refusal, match="ERR_UNAVAILABLE"):
        await watch.join(desk, caller, "secret", outlet)
    assert (desk.hub.watching, desk.hub.held_with(digest("secret"))) == (0, 0)
