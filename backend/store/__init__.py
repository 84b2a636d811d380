"""Persistence: the only package that knows SQL and the disk.

Invariants: all changes go through the journal's threads, and nothing is acknowledged before the commit that holds it
has been fsynced; readers are read-only. What SQLite and PostgreSQL do differently is in their folders, and no other
file asks which of them is used. Deliberately absent: rules; those are passed in as functions.
"""
