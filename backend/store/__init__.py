"""The memory: the only room that knows SQL and the disk.

Invariants: what changes anything is handed to the journal's threads, and nothing is acknowledged before the commit
that holds it has been fsynced; readers are read-only. What SQLite and PostgreSQL do each in its own way stands in its
folder, and no other file asks which of them it is. Deliberately absent: rules; those are handed in as functions.
"""
