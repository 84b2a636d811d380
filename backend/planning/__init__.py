"""The planner, in another process.

Invariants: integers only (seconds, metres, load units times 1000); a plan that breaks a hard constraint never leaves
this room; a crash of the solver is a failed job and nothing else. Deliberately absent: orders, drivers, SQL, sockets.
"""
