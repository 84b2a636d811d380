"""Types that the steps name, as they were when the steps were written."""

import sqlalchemy as sa


def text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Text that PostgreSQL compares by its bytes, as SQLite does."""
    if length is None:
        return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
