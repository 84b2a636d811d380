"""How the tables came to be, step by step; run when a database is opened.

A change of ``tables`` needs a step here, and the test that compares the two says where one is missing. A step that was
released is never changed; ``0001`` is the first release's and changes with the tables until then.
"""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def migrate(connection: Connection, version: str = "head") -> None:
    """Bring the tables to this version, or an earlier one, all of it or nothing."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # below, it tells at each start that nothing was to be done
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)
