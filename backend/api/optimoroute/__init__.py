"""The OptimoRoute-compatible API under ``/v1``: every answer is HTTP 200 and JSON with ``success``."""
