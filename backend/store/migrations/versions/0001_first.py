"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

from backend.store.migrations.types import text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _sequence() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", text(32), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", text(32), nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("role", text(16), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("customer", text(), nullable=True),
        sa.Column("subcontractor", text(), nullable=True),
        sa.Column("hash", text(64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "attachments",
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("id", text(64), nullable=False),
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("order_id", text(32), nullable=True),
        sa.Column("kind", text(16), nullable=False),
        sa.Column("type", text(32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", text(64), nullable=False),
        sa.Column("arrived_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "id"),
    )
    op.create_table(
        "chunks",
        sa.Column("id", _sequence(), autoincrement=True, nullable=False),
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id").ddl_if(dialect="sqlite"),
        postgresql_partition_by="RANGE (first_ms)",
    )
    op.create_index("chunks_by_time", "chunks", ["driver_id", "last_ms", "first_ms"], unique=False)
    op.create_table(
        "devices",
        sa.Column("id", text(32), nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("hash", text(64), nullable=False),
        sa.Column("platform", text(), nullable=False),
        sa.Column("model", text(), nullable=False),
        sa.Column("app_version", text(), nullable=False),
        sa.Column("paired_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index(op.f("ix_devices_driver_id"), "devices", ["driver_id"], unique=False)
    op.create_table(
        "driver_days",
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("date", text(10), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", "date"),
    )
    op.create_index("driver_days_by_date", "driver_days", ["account_id", "date"], unique=False)
    op.create_table(
        "drivers",
        sa.Column("id", text(32), nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("external_id", text(), nullable=True),
        sa.Column("serial", text(), nullable=False),
        sa.Column("subcontractor", text(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("drivers_by_external_id", "drivers", ["account_id", "external_id"], unique=False)
    op.create_index("drivers_by_serial", "drivers", ["account_id", "serial"], unique=False)
    op.create_table(
        "facts",
        sa.Column("sequence", _sequence(), autoincrement=True, nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("id", text(64), nullable=False),
        sa.Column("kind", text(24), nullable=False),
        sa.Column("driver_id", text(32), nullable=True),
        sa.Column("order_id", text(32), nullable=True),
        sa.Column("route_id", text(32), nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("arrived_ms", sa.BigInteger(), nullable=False),
        sa.Column("from_driver", sa.Boolean(), nullable=False),
        sa.Column("status", text(16), nullable=True),
        sa.Column("out_of_order", sa.Boolean(), nullable=False),
        sa.Column("hash", text(64), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("account_id", "driver_id", "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("facts_by_driver", "facts", ["driver_id", "at_ms"], unique=False)
    op.create_index("facts_by_order", "facts", ["order_id", "at_ms"], unique=False)
    op.create_index("facts_by_route", "facts", ["route_id", "at_ms"], unique=False)
    op.create_index("facts_for_events", "facts", ["account_id", "from_driver", "sequence"], unique=False)
    op.create_index("facts_in_order_of_arrival", "facts", ["account_id", "sequence"], unique=False)
    op.create_table(
        "locations",
        sa.Column("id", text(32), nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("location_no", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("address", text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("notes", text(), nullable=False),
        sa.Column("check_in_min", sa.Integer(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("locations_by_address", "locations", ["account_id", "address"], unique=False)
    op.create_index("locations_by_number", "locations", ["account_id", "location_no"], unique=False)
    op.create_table(
        "messages",
        sa.Column("sequence", _sequence(), autoincrement=True, nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("id", text(64), nullable=False),
        sa.Column("from_office", sa.Boolean(), nullable=False),
        sa.Column("text", text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("account_id", "driver_id", "id"),
    )
    op.create_table(
        "orders",
        sa.Column("id", text(32), nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("order_no", text(), nullable=True),
        sa.Column("date", text(10), nullable=False),
        sa.Column("location_id", text(32), nullable=False),
        sa.Column("customer", text(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("planned_route_id", text(32), nullable=True),
        sa.Column("active_route_id", text(32), nullable=True),
        sa.Column("tracking", text(32), nullable=True),
        sa.Column("own_status", text(16), nullable=False),
        sa.Column("status", text(16), nullable=False),
        sa.Column("completion", sa.LargeBinary(), nullable=True),
        sa.Column("unscheduled_code", text(), nullable=True),
        sa.Column("unscheduled_text", text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tracking"),
    )
    op.create_index("orders_by_active_route", "orders", ["active_route_id"], unique=False)
    op.create_index("orders_by_date", "orders", ["account_id", "date", "id"], unique=False)
    op.create_index("orders_by_number", "orders", ["account_id", "order_no"], unique=False)
    op.create_index("orders_by_planned_route", "orders", ["planned_route_id"], unique=False)
    op.create_table(
        "pairing_codes",
        sa.Column("hash", text(64), nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "planner_jobs",
        sa.Column("id", _sequence(), autoincrement=True, nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("date", text(10), nullable=False),
        sa.Column("status", text(1), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("reason", text(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_date", text(10), nullable=False),
        sa.Column("scope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("planner_jobs_by_date", "planner_jobs", ["account_id", "date", "status"], unique=False)
    op.create_index("planner_jobs_by_status", "planner_jobs", ["account_id", "status"], unique=False)
    op.create_table(
        "position_ids",
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("id", text(64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "routes",
        sa.Column("id", text(32), nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("date", text(10), nullable=False),
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("planned", sa.LargeBinary(), nullable=True),
        sa.Column("active", sa.LargeBinary(), nullable=True),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("progress", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "date", "driver_id"),
    )
    op.create_table(
        "skills",
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("code", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "code"),
    )
    op.create_table(
        "vehicle_features",
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("code", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "code"),
    )
    op.create_table(
        "vehicles",
        sa.Column("id", text(32), nullable=False),
        sa.Column("account_id", text(32), nullable=False),
        sa.Column("external_id", text(), nullable=True),
        sa.Column("registration", text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("vehicles_by_external_id", "vehicles", ["account_id", "external_id"], unique=False)
    op.create_index("vehicles_by_registration", "vehicles", ["account_id", "registration"], unique=False)
    if op.get_context().dialect.name == "postgresql":
        _for_postgresql()


def _for_postgresql() -> None:
    op.create_table(
        "tails",
        sa.Column("driver_id", text(32), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("recent", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("driver_id"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "writers",
        sa.Column("id", text(32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": 50},
    )
