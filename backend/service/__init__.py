"""The use cases ("verbs"): the only functions that the APIs and pages call. One verb is one function.

Deliberately absent: wire formats, HTTP, SQL statements.
"""
