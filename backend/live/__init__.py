"""The present: the latest state per key, and who is watching it.

Invariants: everything here may be lost and rebuilt from the store at any time; a watcher never slows another watcher
or the ingest; positions are conflated, events never. Deliberately absent: history, SQL.
"""
