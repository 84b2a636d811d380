"""The verbs. Every dialect calls these and only these; one verb is one function, read from top to bottom.

Deliberately absent: wire formats, HTTP, SQL statements.
"""
