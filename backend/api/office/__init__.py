"""The office's own API under ``/api``: camelCase JSON, times in UTC, lists with ``items`` and ``cursor``."""

from backend.api.office import account, codes, day, fleet, tracks

handlers = [*account.handlers, *fleet.handlers, *codes.handlers, *day.handlers, *tracks.handlers]
