"""The APIs ("dialects"): wire structs, their translation to and from the domain, thin handlers. No rules in here.

The dialects do not import one another.
"""
