"""Codriver's backend: the server for drivers' phones, dispatchers, recipients and other systems.

Packages import inwards only: ``cli > app > server > api | web > service > store | live | planning | places > domain``;
see docs/architecture.md.
"""

import time

BEGAN_S = time.monotonic()
"""When this process became Codriver's."""
