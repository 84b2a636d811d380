"""What SQLite's errors mean to a caller."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from backend.domain.errors import Refusal


def refusal_of(error: BaseException) -> Refusal | None:
    """The refusal for an error of the engine that is the disk's or the load's fault and not the statement's."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", None)
    match code and code & 0xFF:  # the rest says more than is needed
        case sqlite3.SQLITE_FULL:
            return Refusal("ERR_STORAGE_FULL", "The disk is full; nothing was stored.")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Refusal("ERR_STORAGE", "The disk does not work as it should; nothing was stored.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
            return Refusal("ERR_STORAGE", "The database cannot be written; nothing was stored.")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_INTERRUPT:
            return Refusal("ERR_OVERLOADED", "The database took too long to answer; try again in a moment.")
    return None
