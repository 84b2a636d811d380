"""What is kept of drivers who were taken out of the fleet can be found by their company, also of those who never had a
phone."""

import sqlalchemy as sa
from alembic import op

from backend.store.migrations.types import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_drivers",
        sa.Column("id", text(32), primary_key=True),
        sa.Column("account_id", text(32), nullable=False),
    )
    op.create_index("former_drivers_by_account", "former_drivers", ["account_id"])
