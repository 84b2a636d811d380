"""All settings with their defaults, read from environment variables with the prefix ``CODRIVER_``."""

import contextlib
import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from backend.domain.errors import Refusal

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can configure.

    ``data_dir``: the data folder, with the database, the photos and the secret; created where it does not exist.
    ``database_url``: empty means SQLite in the data folder, for one process on one machine;
    ``postgresql://user:password@host:port/name`` means PostgreSQL, version 15 or newer, for more than that.
    ``redis_url``: carries live updates between processes; may be empty where only one process serves.
    ``blob_url``: where photos are stored; empty means a folder in the data folder.
    ``public_url``: the base of links to tracking pages and photos; empty means the address it serves on.
    ``trusted_proxies``: addresses and networks, comma-separated, of the proxies whose ``X-Forwarded-For``, ``-Proto``
    and ``-Host`` are believed; empty means none, so that all clients behind a proxy have the proxy's address.
    ``secret_key``: signs links; empty means one that is generated at the first start and kept in the data folder.
    ``geocoder``: ``photon+https://…`` or ``nominatim+https://…``; a query string in it is sent along with each request.
    Empty means none: then only addresses of the account's own locations can be resolved.
    ``map_style_url``: a MapLibre style for the map pages; empty means a plain built-in one that needs no network.
    ``log_format``: ``text`` for people, or ``json`` for machines: one object per line.
    ``max_concurrent_requests``: limit for each key of ``/v1`` whose account sets none itself; 0 means no limit.
    ``max_attachment_bytes``: the largest photo or document that a phone may send.
    """

    data_dir: Path = Path("data")
    database_url: str = ""
    redis_url: str = ""
    blob_url: str = ""
    public_url: str = ""
    trusted_proxies: str = ""
    secret_key: str = ""
    geocoder: str = ""
    map_style_url: str = ""
    log_level: str = "INFO"
    log_format: Literal["text", "json"] = "text"
    max_concurrent_requests: Annotated[int, Meta(ge=0)] = 5
    max_attachment_bytes: Annotated[int, Meta(ge=1)] = 15 * 1024 * 1024

    @classmethod
    def from_environment(cls, **given: object) -> Self:
        """The settings of the environment. Values ``given`` by command-line options, where not None, take precedence.

        Refuses an invalid value with ``ERR_SETTING_INVALID``, naming the variable.
        """
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            variable = f"CODRIVER_{field.name.upper()}"
            value = given.get(field.name)
            if value is None:
                value = os.environ.get(variable)
            if value is None:
                continue
            try:
                values[field.name] = (
                    Path(str(value)) if field.type is Path else msgspec.convert(value, field.type, strict=False)
                )
            except msgspec.ValidationError as error:
                what = f"cannot be {value!r}: {error}."
                if get_origin(field.type) is Literal:
                    what = f"is one of {', '.join(get_args(field.type))}, not {value!r}."
                raise _invalid(variable, what) from error
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        if self.database_url and not self.database_url.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise _invalid(
                "CODRIVER_DATABASE_URL", "is postgresql://user:password@host:port/name, or unset for SQLite."
            )
        if self.redis_url and not _is_redis(self.redis_url):
            raise _invalid(
                "CODRIVER_REDIS_URL",
                "is redis://[user:password@]host[:port][/number], rediss://… with TLS, or unix://….",
            )
        if self.public_url and not _is_http(self.public_url):
            raise _invalid("CODRIVER_PUBLIC_URL", "must begin with http:// or https://.")
        if self.log_level.upper() not in LOG_LEVELS:
            raise _invalid("CODRIVER_LOG_LEVEL", f"is one of {', '.join(LOG_LEVELS)}, not {self.log_level!r}.")
        self.proxies()
        if self.geocoder and not _names_a_geocoder(self.geocoder):
            raise _invalid("CODRIVER_GEOCODER", "is photon+https://… or nominatim+https://…, or left unset for none.")

    def proxies(self) -> list[IPv4Network | IPv6Network]:
        """``trusted_proxies`` as networks. Refuses with ``ERR_SETTING_INVALID`` what is no network, or the whole
        internet."""
        found = []
        for each in filter(None, map(str.strip, self.trusted_proxies.split(","))):
            try:
                network = ip_network(each)
            except ValueError as error:
                raise _no_proxies(f"{error}") from error
            if not network.prefixlen:
                raise _no_proxies(f"{each} would trust every client")
            found.append(network)
        return found

    def secret(self) -> bytes:
        """The key that signs links: ``secret_key``, or else a generated one in the data folder, readable by its owner
        only."""
        if self.secret_key:
            return self.secret_key.encode()
        path = self.data_dir / "secret"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            key = secrets.token_hex(32).encode()
            draft = path.with_suffix(f".{secrets.token_hex(8)}")  # in containers all processes have one number
            try:
                with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(key)
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):  # another process was quicker: then its key counts
                    os.link(draft, path)
                folder = os.open(self.data_dir, os.O_RDONLY)
                try:
                    os.fsync(folder)  # of its name: links that were sent must not become invalid by a power cut
                finally:
                    os.close(folder)
            finally:
                draft.unlink(missing_ok=True)
            return path.read_bytes()


def traces_go_to() -> str:
    """The address of the trace collector that OpenTelemetry's own variables name; empty where there is none, or traces
    are turned off.

    Refuses an invalid address with ``ERR_SETTING_INVALID``.
    """
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        given = os.environ.get(variable, "")
        if given and not off:
            if not _is_http(given):
                raise _invalid(variable, "must begin with http:// or https://.")
            return given
    return ""


def _invalid(variable: str, what: str) -> Refusal:
    return Refusal("ERR_SETTING_INVALID", f"{variable} {what}", variable)


def _no_proxies(why: str) -> Refusal:
    what = f"is addresses and networks like 127.0.0.1,10.0.0.0/8, but {why}."
    return _invalid("CODRIVER_TRUSTED_PROXIES", what)


def _names_a_geocoder(setting: str) -> bool:
    kind, _, url = setting.partition("+")
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return sound and kind in ("photon", "nominatim") and url.isprintable() and " " not in url


def _is_http(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:  # of brackets around what is no address
        return False


def _is_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
    except ValueError:
        return False
