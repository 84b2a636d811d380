"""A fleet of phones that knows the truth.

Invariants: it knows the published wire and never imports the backend; everything random is drawn from one seed.
"""
