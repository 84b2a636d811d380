"""The memory: the only room that knows SQL and the disk.

Invariants: one thread per process writes, and it alone checkpoints; readers are read-only. Nothing is acknowledged
before the commit that holds it has been fsynced. Deliberately absent: rules; those are handed in as functions.
"""
