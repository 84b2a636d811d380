"""Lists of an account are read without other accounts' rows, what happened on a day without all other days, and when a
driver went on duty without all else that was done."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("orders_by_account", "orders", ["account_id", "id"])
    op.create_index("locations_by_account", "locations", ["account_id", "id"])
    op.drop_index("facts_by_driver", "facts")
    op.create_index("facts_by_driver", "facts", ["driver_id", "kind", "at_ms"])
    op.create_index("facts_by_time", "facts", ["account_id", "at_ms"])
