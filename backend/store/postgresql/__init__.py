"""The memory in PostgreSQL 15 or newer: for as many processes and machines as there are.

Invariants: whatever changes anything but positions does so in turn, one commit of one process at a time, under one
advisory lock: the verbs were written for one writer, and so facts become visible in the order of their numbers.
Positions wait for nobody but for the same driver's, whose row in ``tails`` is locked. A chunk lies within one week,
and each week is a table of its own. A commit whose answer was lost is asked for, not guessed at.
"""
