"""Codriver's backend: what drivers' phones, dispatchers, recipients and other systems talk to.

Who may import whom, from the outside in: ``app, cli > api | web > service > store | live | planning > domain``.
"""

import time

BEGAN_S = time.monotonic()
"""When this process became Codriver's."""
