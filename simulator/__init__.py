"""A fleet of phones that knows the truth.

Invariants: it knows the published wire and never imports the backend; everything random is drawn from one seed; a day
is a generator that reads no clock; what is sent is noted before it leaves, and what is acknowledged before anything
else. Deliberately absent: a road network (vans drive the planned line), and any way to look into the server's stores.
"""
