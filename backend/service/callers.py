"""What a process remembers of its callers: a cache of authenticated ones, and who guesses pairing codes."""

import contextlib
import time
from collections import OrderedDict
from ipaddress import IPv6Address, IPv6Network, ip_address

from backend.domain.accounts import Device, Office
from backend.domain.errors import Refusal

WRONG_CODES_ALLOWED = 10


class Acquaintances:
    """A cache of callers by the hash of their secret, so that the usual request does not read the database.

    A caller that was revoked is dropped, and all callers of an account when its settings change.
    """

    def __init__(self, size: int = 50_000) -> None:
        self._size = size
        self._known: OrderedDict[str, Office | Device] = OrderedDict()
        self.generation = 0  # grows with each forgetting: what was read before one must not be remembered after it

    def recall(self, key: str) -> Office | Device | None:
        return self._known.get(key)

    def remember(self, key: str, caller: Office | Device, generation: int) -> None:
        if generation != self.generation:
            return
        self._known[key] = caller
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def forget(self, key: str) -> None:
        self.generation += 1
        self._known.pop(key, None)

    def forget_account(self, account_id: str) -> None:
        self.generation += 1
        for key in [key for key, caller in self._known.items() if caller.account.id == account_id]:
            del self._known[key]

    def forget_all(self) -> None:
        self.generation += 1
        self._known.clear()


def origin(address: str) -> str:
    """By what a guesser is counted: an IPv4 address; of IPv6 the network of 64 bits, as one household has all of it."""
    with contextlib.suppress(ValueError):
        found = ip_address(address)
        if isinstance(found, IPv6Address):
            if found.ipv4_mapped is not None:  # as a socket for both shows it; all of them are of one such network
                return str(found.ipv4_mapped)
            return str(IPv6Network((int(found) >> 64 << 64, 64)))
    return address


class Guesses:
    """Wrong pairing codes by the address they came from: ten, then a minute's wait, doubled with each further ten."""

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Refuses with ``ERR_TOO_MANY_GUESSES`` while the address, as ``origin`` has it, has to wait."""
        _, free_at = self._wrong.get(address, (0, 0.0))
        left = free_at - time.monotonic()
        if left > 0:
            raise Refusal(
                "ERR_TOO_MANY_GUESSES",
                f"Too many wrong pairing codes from this address; try again in {int(left) + 1} seconds.",
            )

    def wrong(self, address: str) -> int:
        """How many wrong codes came from there so far."""
        count = self._wrong.get(address, (0, 0.0))[0] + 1
        self._count(address, count)
        return count

    def hear(self, note: str) -> None:
        """What another process counts, as ``count address``; 0 after a right code."""
        count, _, address = note.partition(" ")
        if count == "0":
            self._wrong.pop(address, None)
        elif int(count) > self._wrong.get(address, (0, 0.0))[0]:
            self._count(address, int(count))

    def _count(self, address: str, count: int) -> None:
        before, free_at = self._wrong.pop(address, (0, 0.0))
        rounds = count // WRONG_CODES_ALLOWED
        if rounds > before // WRONG_CODES_ALLOWED:
            free_at = time.monotonic() + min(60.0 * 2 ** (rounds - 1), 3600.0)
        self._wrong[address] = (count, free_at)
        if len(self._wrong) > self._size:
            self._wrong.popitem(last=False)
