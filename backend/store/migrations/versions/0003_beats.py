"""Planning jobs show that somebody plans them, and may be asked to stop from another process."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("planner_jobs", sa.Column("beat", sa.Integer, nullable=False, server_default="0"))
    op.add_column("planner_jobs", sa.Column("stopping", sa.Boolean, nullable=False, server_default=sa.false()))
