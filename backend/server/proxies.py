"""Who really asks, where proxies stand in between: what they say is believed of those alone that are named."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Network = IPv4Network | IPv6Network
_SCHEMES = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}


class Proxied:
    """The application as it is asked from beyond the proxies: their client, its scheme, the host that it named.

    ``X-Forwarded-For``, ``-Proto`` and ``-Host`` count only where the peer is trusted. Each proxy adds the address that
    it was asked from at the right of the list, so it is read from there: the first that no trusted proxy has is the
    client's, and what stands left of it, anybody may have written. The other two are the nearest proxy's word.
    """

    def __init__(self, app: Any, trusted: Sequence[Network]) -> None:
        self.app = app
        self._trusts = lru_cache(maxsize=4096)(lambda peer: any(peer in network for network in trusted))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            self._look_behind(scope)
        await self.app(scope, receive, send)

    def _look_behind(self, scope: Any) -> None:
        peer = _address(scope["client"][0]) if scope.get("client") else None
        if peer is None or not self._trusts(peer):
            return
        passed = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        scope["client"] = (str(self._client(peer, passed)), 0)
        for name, value in scope["headers"]:
            nearest = value.rpartition(b",")[2].strip()
            if name == b"x-forwarded-proto" and nearest.lower() in _SCHEMES:
                scheme = _SCHEMES[nearest.lower()]
                scope["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme
            elif name == b"x-forwarded-host" and nearest:
                others = [each for each in scope["headers"] if each[0] != b"host"]
                scope["headers"] = [(b"host", nearest), *others]

    def _client(self, peer: IPv4Address | IPv6Address, passed: bytes) -> IPv4Address | IPv6Address:
        """The last one known, going back from proxy to proxy: where a trusted one says nothing sound, itself."""
        for said in reversed(passed.split(b",")):
            before = _address(said.strip().decode("latin-1"))
            if before is None:
                return peer
            peer = before
            if not self._trusts(peer):
                return peer
        return peer


def _address(said: str) -> IPv4Address | IPv6Address | None:
    """An address, maybe with a port; an IPv4 one also in the clothes of IPv6, as a socket for both shows it."""
    if said.startswith("["):
        said = said[1:].partition("]")[0]
    elif said.count(":") == 1:
        said = said.partition(":")[0]
    try:
        address = ip_address(said)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
