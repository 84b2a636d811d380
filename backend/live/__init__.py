"""The present: the latest state per key, and who is watching it.

Invariants: everything here may be lost and rebuilt from the store at any time; a watcher never slows another watcher
or the ingest; positions are conflated, events never. Deliberately absent: history, SQL.

*A position's way.* ``hub.tell_positions`` offers it to the ``board``, where the newer wins. Within a tick ``ticker``
has the ``audience`` of the account tell its feeds (``watchers.Feed``: all who wish for the same) who moved; those with
a box are found by ``boxes``. When a feed's pace allows, ``ticker`` writes one frame (``frames``) to every member; a
socket that takes nothing now is noted with what it missed, and gets the newest of that once it takes something again.

*An event's way.* ``hub.tell_facts`` says that there is more in the log. ``readers`` reads it once from the audience's
head, and hands each reader what is behind its cursor; who is far behind is helped on with pages of its own.

*Beside these.* ``rolls`` who there is, for snapshots; ``parcels`` recipients; ``phones`` lines to drivers; ``fanout``
and ``letters`` the same hub in several processes, and ``review`` what is read where a letter may be missing.
"""
