"""The OptimoRoute document as a dialect: ``/v1``, every answer HTTP 200 and JSON with ``success``.

Invariants: no input gives a 5xx; what is refused is refused by the code that the document has for it.
Deliberately absent: rules. They are the service's; here are shapes and words.
"""

from backend.api.optimoroute import deleting, dispatch, drivers, orders, planning, positions, progress, routes, search
from backend.api.optimoroute.call import handlers, on_unknown_verb

__all__ = [
    "deleting",
    "dispatch",
    "drivers",
    "handlers",
    "on_unknown_verb",
    "orders",
    "planning",
    "positions",
    "progress",
    "routes",
    "search",
]
