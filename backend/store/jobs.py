"""Planning jobs: which process runs which job since when, and the outcome."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, update

from backend.domain.plans import Scope
from backend.store.tables import planner_jobs

RUNNING = ("N", "R")


class JobRecord(msgspec.Struct, frozen=True):
    """``status`` N new, R running, C cancelled, F finished, E error; ``percent`` 0 to 100."""

    id: int
    account_id: str
    date: str
    last_date: str
    status: str
    percent: int
    reason: str | None
    created_ms: int
    scope: Scope


_scope = msgspec.json.Decoder(Scope)
_COLUMNS = [planner_jobs.c[name] for name in JobRecord.__struct_fields__]


def add(conn: Connection, account_id: str, date: str, last_date: str, scope: Scope, now_ms: int) -> int:
    """The new job's id; it is R."""
    made = conn.execute(
        insert(planner_jobs).values(
            account_id=account_id,
            date=date,
            last_date=last_date,
            status="R",
            percent=0,
            reason=None,
            created_ms=now_ms,
            scope=msgspec.json.encode(scope),
        )
    )
    key = made.inserted_primary_key
    assert key is not None, "one row was inserted"
    return int(key[0])


def find(conn: Connection, account_id: str, job_id: int) -> JobRecord | None:
    statement = select(*_COLUMNS).where(planner_jobs.c.account_id == account_id, planner_jobs.c.id == job_id)
    row = conn.execute(statement).mappings().first()
    return _job(row) if row else None


def running(conn: Connection, account_id: str) -> list[JobRecord]:
    """The account's jobs that have not ended."""
    statement = select(*_COLUMNS).where(planner_jobs.c.account_id == account_id, planner_jobs.c.status.in_(RUNNING))
    return [_job(row) for row in conn.execute(statement.order_by(planner_jobs.c.id)).mappings()]


def busy_orders(conn: Connection, account_id: str) -> dict[str, int]:
    """The orders that are being planned now, each with its job."""
    return {order_id: job.id for job in running(conn, account_id) for order_id in job.scope.order_ids}


def end(conn: Connection, job_id: int, status: str, percent: int, reason: str | None = None) -> bool:
    """C, F or E; False where it had ended before."""
    changed = conn.execute(
        update(planner_jobs)
        .where(planner_jobs.c.id == job_id, planner_jobs.c.status.in_(RUNNING))
        .values(status=status, percent=percent, reason=reason)
    )
    return changed.rowcount == 1


def end_all(conn: Connection, reason: str) -> int:
    """Jobs whose planner died with its process; E, with the reason. How many there were."""
    statement = update(planner_jobs).where(planner_jobs.c.status.in_(RUNNING)).values(status="E", reason=reason)
    return conn.execute(statement).rowcount


def beat(conn: Connection, percents: Mapping[int, int]) -> dict[int, bool]:
    """Somebody plans these and is so far: by those that have not ended, whether they are asked to stop."""
    asked: dict[int, bool] = {}
    for job_id, percent in percents.items():
        mine = (planner_jobs.c.id == job_id) & planner_jobs.c.status.in_(RUNNING)
        conn.execute(update(planner_jobs).where(mine).values(percent=percent, beat=planner_jobs.c.beat + 1))
        if (stopping := conn.execute(select(planner_jobs.c.stopping).where(mine)).scalar()) is not None:
            asked[job_id] = stopping
    return asked


def beats(conn: Connection) -> dict[int, int]:
    """How often somebody said to plan each of the jobs that have not ended."""
    rows = conn.execute(select(planner_jobs.c.id, planner_jobs.c.beat).where(planner_jobs.c.status.in_(RUNNING)))
    return {row.id: row.beat for row in rows}


def ask_to_stop(conn: Connection, job_id: int) -> None:
    """Whoever plans it sees that with the next beat."""
    conn.execute(update(planner_jobs).where(planner_jobs.c.id == job_id).values(stopping=True))


def end_silent(conn: Connection, job_id: int, last_beat: int, reason: str) -> bool:
    """E, where nobody said to plan it since this beat."""
    silent = (planner_jobs.c.id == job_id) & planner_jobs.c.status.in_(RUNNING) & (planner_jobs.c.beat == last_beat)
    return conn.execute(update(planner_jobs).where(silent).values(status="E", reason=reason)).rowcount == 1


def _job(row: RowMapping) -> JobRecord:
    return JobRecord(**(dict(row) | {"scope": _scope.decode(row["scope"])}))
