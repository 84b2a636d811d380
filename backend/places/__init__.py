"""Where an address is: asked of a geocoder on the network, or of nobody.

Invariants: this room alone speaks to other people's servers about addresses. It waits on the event loop and holds no
thread; what waits for a slow server is bounded in number and in time. Addresses are personal: none is logged.
"""
