"""Orders are found by their place, and a customer's without reading everybody's."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("orders_by_location", "orders", ["location_id", "customer"])
    op.create_index(
        "orders_by_customer",
        "orders",
        ["account_id", "customer", "date", "id"],
        sqlite_where=sa.text("customer IS NOT NULL"),
        postgresql_where=sa.text("customer IS NOT NULL"),
    )
