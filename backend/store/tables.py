"""All tables. They are the same for SQLite and PostgreSQL; at the end are the few that only PostgreSQL has.

Ids are 32 hex digits, the first twelve of them the millisecond they were made in, so that an index grows at one end.
Times are Unix milliseconds (``*_ms``). ``document`` columns hold a value of ``backend.domain`` as JSON; what is
searched by stands in columns of its own beside it.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData()
postgresql_metadata = MetaData()
Sequence = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only where the type is INTEGER


def text(length: int | None = None) -> TypeEngine[str]:
    """Text that PostgreSQL compares by its bytes, as SQLite does, whatever the locale of the database."""
    if length is None:
        return Text().with_variant(Text(collation="C"), "postgresql")
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _id(name: str = "id") -> Column[str]:
    return Column(name, text(32), primary_key=True)


def _account() -> Column[str]:
    return Column("account_id", text(32), nullable=False)


accounts = Table(
    "accounts",
    metadata,
    _id(),
    Column("name", text(), nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("settings", LargeBinary, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _account(),
    Column("role", text(16), nullable=False),
    Column("name", text(), nullable=False),
    Column("customer", text()),
    Column("subcontractor", text()),
    Column("hash", text(64), nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

pairing_codes = Table(
    "pairing_codes",
    metadata,
    Column("hash", text(64), primary_key=True),
    _account(),
    Column("driver_id", text(32), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
)

devices = Table(
    "devices",
    metadata,
    _id(),
    _account(),
    Column("driver_id", text(32), nullable=False, index=True),
    Column("hash", text(64), nullable=False, unique=True),
    Column("platform", text(), nullable=False),
    Column("model", text(), nullable=False),
    Column("app_version", text(), nullable=False),
    Column("paired_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

skills = Table(
    "skills",
    metadata,
    _id(),
    _account(),
    Column("code", text(), nullable=False),
    Column("name", text(), nullable=False),
    Index("skills_by_code", "account_id", "code"),
)

vehicle_features = Table(
    "vehicle_features",
    metadata,
    _id(),
    _account(),
    Column("code", text(), nullable=False),
    Column("name", text(), nullable=False),
    Index("vehicle_features_by_code", "account_id", "code"),
)

vehicles = Table(
    "vehicles",
    metadata,
    _id(),
    _account(),
    Column("external_id", text()),
    Column("registration", text(), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("vehicles_by_external_id", "account_id", "external_id"),
    Index("vehicles_by_registration", "account_id", "registration"),
)

drivers = Table(
    "drivers",
    metadata,
    _id(),
    _account(),
    Column("external_id", text()),
    Column("serial", text(), nullable=False),
    Column("subcontractor", text()),
    Column("document", LargeBinary, nullable=False),
    Index("drivers_by_external_id", "account_id", "external_id"),
    Index("drivers_by_serial", "account_id", "serial"),
)

former_drivers = Table(
    "former_drivers",
    metadata,
    _id(),
    _account(),
    Index("former_drivers_by_account", "account_id"),
)

driver_days = Table(
    "driver_days",
    metadata,
    _account(),
    Column("driver_id", text(32), primary_key=True),
    Column("date", text(10), primary_key=True),
    Column("document", LargeBinary, nullable=False),  # domain.drivers.DriverDay: what is different on this date
    Index("driver_days_by_date", "account_id", "date"),
)

locations = Table(
    "locations",
    metadata,
    _id(),
    _account(),
    Column("location_no", text(), nullable=False),
    Column("name", text(), nullable=False),
    Column("address", text(), nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("notes", text(), nullable=False),
    Column("check_in_min", Integer, nullable=False),
    Column("valid", Boolean, nullable=False),
    Index("locations_by_account", "account_id", "id"),
    Index("locations_by_number", "account_id", "location_no"),
    Index("locations_by_address", "account_id", "address"),
)

orders = Table(
    "orders",
    metadata,
    _id(),
    _account(),
    Column("order_no", text()),
    Column("date", text(10), nullable=False),
    Column("location_id", text(32), nullable=False),
    Column("customer", text()),
    Column("document", LargeBinary, nullable=False),
    # Where it stands in the plan that was made last, and in the one the drivers have (the active one).
    Column("planned_route_id", text(32)),
    Column("active_route_id", text(32)),
    Column("tracking", text(32), unique=True),
    # What the fold of its facts says: `own_status` of its own facts alone, `status` with its place on the route.
    Column("own_status", text(16), nullable=False),
    Column("status", text(16), nullable=False),
    Column("completion", LargeBinary),
    Column("unscheduled_code", text()),
    Column("unscheduled_text", text()),
    Index("orders_by_account", "account_id", "id"),
    Index("orders_by_number", "account_id", "order_no"),
    Index("orders_by_date", "account_id", "date", "id"),
    Index("orders_by_location", "location_id", "customer"),
    Index("orders_by_planned_route", "planned_route_id"),
    Index("orders_by_active_route", "active_route_id"),
)

Index(  # most orders have no customer, and stand in it nowhere
    "orders_by_customer",
    *(orders.c.account_id, orders.c.customer, orders.c.date, orders.c.id),
    sqlite_where=orders.c.customer.is_not(None),
    postgresql_where=orders.c.customer.is_not(None),
)

routes = Table(
    "routes",
    metadata,
    _id(),
    _account(),
    Column("date", text(10), nullable=False),
    Column("driver_id", text(32), nullable=False),
    Column("version", Integer, nullable=False),  # grows with each change of the active plan
    Column("planned", LargeBinary),  # domain.routes.Route as the planner left it; NULL where the driver has none now
    Column("active", LargeBinary),  # the same, as it was sent to the driver
    Column("sent_ms", BigInteger),
    Column("progress", LargeBinary),  # what the fold of the route's facts says: started, ended, planned start
    UniqueConstraint("account_id", "date", "driver_id"),
)

facts = Table(
    "facts",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),  # order of arrival
    _account(),
    Column("id", text(64), nullable=False),  # the app's id of the action
    Column("kind", text(24), nullable=False),
    Column("driver_id", text(32)),
    Column("order_id", text(32)),
    Column("route_id", text(32)),
    Column("at_ms", BigInteger, nullable=False),  # its own time
    Column("arrived_ms", BigInteger, nullable=False),
    Column("from_driver", Boolean, nullable=False),  # only these are events of get_events
    Column("status", text(16)),  # of the order after it
    Column("out_of_order", Boolean, nullable=False),
    Column("hash", text(64), nullable=False),  # of the action as it came: the same id with other content is refused
    Column("document", LargeBinary, nullable=False),  # domain.events.Fact
    UniqueConstraint("account_id", "driver_id", "id"),
    Index("facts_in_order_of_arrival", "account_id", "sequence"),
    Index("facts_for_events", "account_id", "from_driver", "sequence"),  # counting what remains reads the index alone
    Index("facts_by_order", "order_id", "at_ms"),
    Index("facts_by_route", "route_id", "at_ms"),
    Index("facts_by_driver", "driver_id", "kind", "at_ms"),
    Index("facts_by_time", "account_id", "at_ms"),
    sqlite_autoincrement=True,  # a number is never used again, also after rows were deleted
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", Sequence, autoincrement=True, nullable=False),
    Column("driver_id", text(32), nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # domain.positions.pack
    # PostgreSQL has a table for each week, and a key would have to name what they are parted by.
    PrimaryKeyConstraint("id").ddl_if(dialect="sqlite"),
    Index("chunks_by_time", "driver_id", "last_ms", "first_ms"),
    postgresql_partition_by="RANGE (first_ms)",
)

position_ids = Table(
    "position_ids",
    metadata,
    Column("driver_id", text(32), primary_key=True),
    Column("id", text(64), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),  # of its position, so that it goes when that one goes
    sqlite_with_rowid=False,
)

attachments = Table(
    "attachments",
    metadata,
    Column("account_id", text(32), primary_key=True),
    Column("id", text(64), primary_key=True),
    Column("driver_id", text(32), nullable=False),
    Column("order_id", text(32)),
    Column("kind", text(16), nullable=False),
    Column("type", text(32), nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", text(64), nullable=False),
    Column("arrived_ms", BigInteger, nullable=False),
)

planner_jobs = Table(
    "planner_jobs",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    _account(),
    Column("date", text(10), nullable=False),
    Column("status", text(1), nullable=False),  # N, R, C, F, E
    Column("percent", Integer, nullable=False),
    Column("reason", text()),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_date", text(10), nullable=False),  # of the range that is planned, `date` being the first
    Column("scope", LargeBinary, nullable=False),  # domain.plans.Scope: which orders and drivers it plans
    Column("beat", Integer, nullable=False, server_default="0"),  # grows while somebody plans it
    Column("stopping", Boolean, nullable=False, server_default=false()),  # whoever plans it is to stop
    Index("planner_jobs_by_date", "account_id", "date", "status"),
    Index("planner_jobs_by_status", "account_id", "status"),
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    _account(),
    Column("driver_id", text(32), nullable=False),
    Column("id", text(64), nullable=False),
    Column("from_office", Boolean, nullable=False),
    Column("text", text(), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    UniqueConstraint("account_id", "driver_id", "id"),
)

tails = Table(
    "tails",
    postgresql_metadata,
    Column("driver_id", text(32), primary_key=True),
    Column("last_ms", BigInteger, nullable=False),  # nothing that is stored of this driver is newer
    Column("recent", LargeBinary, nullable=False),  # the last few fixes, packed; empty where there are none
    postgresql_with={"fillfactor": 50},  # a row changes with each batch, and stays in its place where there is room
)

writers = Table(
    "writers",
    postgresql_metadata,
    Column("id", text(32), primary_key=True),  # a connection that writes, of a process that serves
    Column("number", BigInteger, nullable=False),  # of its last commit
    Column("started_ms", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 50},
)
