"""Skills and vehicle features of which two may have the same code."""

import uuid

import sqlalchemy as sa
from alembic import op

from backend.store.migrations.types import text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("skills", "vehicle_features"):
        rows = op.get_bind().execute(sa.text(f"SELECT account_id, code, name FROM {name}")).mappings().all()
        op.drop_table(name)
        table = op.create_table(
            name,
            sa.Column("id", text(32), nullable=False),
            sa.Column("account_id", text(32), nullable=False),
            sa.Column("code", text(), nullable=False),
            sa.Column("name", text(), nullable=False),
            sa.PrimaryKeyConstraint("id"),
        )
        op.create_index(f"{name}_by_code", name, ["account_id", "code"])
        if rows:
            op.bulk_insert(table, [{"id": uuid.uuid4().hex, **row} for row in rows])
