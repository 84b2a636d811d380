"""The rules: values and pure functions.

Invariants: nothing here awaits, logs, reads a clock, draws a random number or touches a disk. A rule that is broken
raises :class:`backend.domain.errors.Refusal`, and nothing else.
"""
