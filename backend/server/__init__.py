"""How Codriver meets the network: uvicorn, started from code, with protocols that no client can stall or fill.

What uvicorn leaves open and this room closes: a head that never ends or is endless, a body that trickles (``http``);
a websocket whose peer stopped reading, for which uvicorn waits without end, also at shutdown (``sockets``);
more than can be done, which would all be answered too late (``gate``); one connection taken in a turn of the loop, and
none where idle ones hold all files (``acceptor``); requests with their query strings, thus tokens, in the log
(``requests``, ``logs``); who asks, where a proxy stands in between (``proxies``); a process that hangs (``workers``).

Invariants: nothing here knows an order, a driver or a path of the wire, but for the size of a websocket's message.
Every connection has at any time a deadline, or a keepalive, or an answer of the application's under way.
"""

from backend.server.gate import Gate
from backend.server.logs import to_stderr as log_to_stderr
from backend.server.run import address, bind, run
from backend.server.workers import Pulse, run_many

__all__ = ["Gate", "Pulse", "address", "bind", "log_to_stderr", "run", "run_many"]
