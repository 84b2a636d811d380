"""What PostgreSQL's errors mean: what passes when it is tried again, and what to tell a caller."""

import psycopg
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from backend.domain.errors import Refusal

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_DEADLOCKS = ("40001", "40P01")
_AWAY = (
    "57P01",  # it is being shut down
    "57P02",  # another process of it crashed
    "57P03",  # it is starting
    "57P05",  # it ended a session that did nothing
    "25P03",  # it ended a transaction in which nothing happened
    "53300",  # it has no connection left
)
# Before there is a connection, its driver passes the server's words on, and no code.
_FULL = ("too many connections", "too many clients", "remaining connection slots")
STANDBY = "25006"  # it only reads; a writer that meets it looks for the server anew
NO_PARTITION = "23514"


def state_of(error: BaseException) -> str | None:
    """The five characters of the server's code; empty where there was no server to give one, None for other errors."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return (origin.sqlstate or "") if isinstance(origin, psycopg.Error) else None


def is_lost(error: BaseException) -> bool:
    """Whether there was no connection, or it is gone."""
    if isinstance(error, PendingRollbackError):
        return True  # somebody swallowed the error that lost it, and went on
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = state_of(error)
    origin = error.orig if isinstance(error, DBAPIError) else error
    unsaid = state == "" and isinstance(origin, psycopg.OperationalError | psycopg.InterfaceError)
    return unsaid or (state is not None and (state in _AWAY or state.startswith("08")))


def is_full(error: BaseException) -> bool:
    """Whether the server has no connection left for us."""
    return state_of(error) == "53300" or (state_of(error) == "" and any(words in str(error) for words in _FULL))


def passes(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is run again."""
    return is_lost(error) or state_of(error) in _DEADLOCKS


def refusal_of(error: BaseException) -> Refusal | None:
    """The refusal for an error that is the server's, the load's or the caller's fault and not the statement's."""
    if passes(error) or state_of(error) == STANDBY:
        return Refusal("ERR_UNAVAILABLE", "The database cannot be reached; try again in a moment.")
    match state_of(error):
        case "53100":
            return Refusal("ERR_STORAGE_FULL", "The database's disk is full; nothing was stored.")
        case "22001" | "22003" | "54000":
            return Refusal("ERR_INVALID", "A value is longer or larger than can be stored.")
        case "57014" | "55P03":
            return Refusal("ERR_OVERLOADED", "The database took too long to answer; try again in a moment.")
        case str(state) if state[:2] in ("53", "58", "XX"):
            return Refusal("ERR_STORAGE", "The database does not work as it should; nothing was stored.")
    return None


def said(error: BaseException) -> str:
    """What went wrong, in a line."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(origin).split())
