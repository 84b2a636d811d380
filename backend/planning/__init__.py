"""The planner: which vehicle serves which stop, in which order and when, found by worker processes.

How it is used::

    planner = Planner()                          # once, at start
    await planner.start()
    job = planner.submit(problem, done)          # returns at once; job.status is "N", then "R"
    planner.stop(job)                            # ends it early, with the best plan so far
    await planner.close()                        # no child outlives this

``done`` is called, and awaited where it returns an awaitable, in the event loop once per job, with the ended job: "F"
and a plan, "C" (stopped by the user) with the best plan so far or, where it had not begun, none, or "E" and a reason.
Only when ``done`` has returned do ``job.status`` and ``job.percent`` show the end, so that whoever polls the job and
sees "F" finds saved routes.

The files, from the values outwards:

* ``problem``   Problem and Plan: frozen values in plain integers
* ``matrix``    travel times and distances between all places; polylines
* ``breaks``    a driver's breaks between the visits of a route
* ``timetable`` the times of one route whose order is fixed, and what a dropped stop costs
* ``fitness``   why a stop can never be served by a vehicle, even alone
* ``insertion`` stops put into routes one by one: the plan that a search begins with, and the one that is always there
* ``search``    a plan within a budget of seconds: which search does what, and when it ends (``watch``)
* ``iterated``  the search by PyVRP: the problem as clients, shipments, depots and types of vehicles
* ``solver``    the search by OR-Tools, for what PyVRP cannot express: the problem as a routing model
* ``clusters``  how far each stop is from the middle of each route's area
* ``priority``  stops of high priority sooner, where that costs little
* ``draft``     between the problem and its plan: locks, existing routes, orders of stops made into a plan
* ``explain``   the cause of each dropped stop, by name
* ``checker``   every hard rule once more, computed from the problem alone
* ``worker``    jobs in processes of their own; ``jobprocess`` is the program they run

Invariants: integers only (seconds from midnight of the day, metres, load units times 1000), degrees excepted; a plan
that breaks a hard rule never leaves this room; a crash, a hang or an exhausted memory is a failed job and nothing else;
only ``iterated`` imports PyVRP and only ``solver`` OR-Tools, and only worker processes import these.
Deliberately absent: orders, drivers, dates and time zones, SQL, sockets.
"""
