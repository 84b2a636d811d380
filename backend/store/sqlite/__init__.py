"""The memory in one file: SQLite, for one process that serves.

Invariants: one connection writes, and the journal's thread alone uses it, also for checkpoints (two connections that
write or checkpoint at once can corrupt the log of SQLite before 3.51.3). Readers cannot write. A file that is damaged,
foreign, or served by another process is refused at start, and so is a log that lost commits (``wal``); nothing is ever
made anew in place of it.
"""
