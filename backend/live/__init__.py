"""The present: the latest state of every driver, and the sockets that are subscribed to it.

Invariants: everything in here may be lost, and can be rebuilt from the store at any time; a watcher never slows down
another watcher or the ingest; positions are conflated, events never. Deliberately absent: history, SQL.

*The path of a position.* ``hub.tell_positions`` offers it to the ``board``, where the newer one wins. Within a tick,
``ticker`` has the account's ``audience`` mark the driver as moved in its feeds (``watchers.Feed``: all subscriptions
that ask for the same); feeds with a bounding box are found by ``boxes``. When a feed's rate limit allows, ``ticker``
writes one frame (``frames``) to every member. For a socket whose buffer is full, the drivers it missed are noted; it
gets the newest position of each once it can take a frame again.

*The path of an event.* ``hub.tell_facts`` says that there are new facts in the log. ``readers`` reads them once for all
readers of the audience, and hands each what is after its cursor; a reader that is far behind gets pages of its own.

*Also here.* ``rolls``: the list of drivers, for snapshots; ``parcels``: recipients; ``phones``: lines to drivers;
``fanout`` and ``letters``: the same hub in several processes; ``review``: what is reread where a letter may be lost.
"""
