"""What the build left in ``static/``: which hashed files a page needs, and the files themselves."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

STATIC = Path(__file__).parent / "static"

TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_PLAIN_NAME = re.compile(r"assets/[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Page:
    """The addresses a page loads: one module script and its style sheets."""

    script: str
    styles: tuple[str, ...]


@dataclass(frozen=True)
class Asset:
    """One built file: its bytes, its type and whether the bytes are gzipped."""

    content: bytes
    type: str
    gzipped: bool


def page(entry: str) -> Page | None:
    """The built page whose source is ``entry`` (``src/map/main.ts``); None where nothing was built yet."""
    path = STATIC / "manifest.json"
    try:
        manifest = _manifest(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None
    chunk = manifest.get(entry)
    if chunk is None:
        return None
    styles: list[str] = []
    _collect_styles(manifest, entry, styles, set())
    return Page(f"/static/{chunk['file']}", tuple(f"/static/{name}" for name in styles))


def asset(name: str, accepts_gzip: bool) -> Asset | None:
    """The file ``name`` (``assets/map-1a2b.js``). None where there is none.

    Only plain names of known types inside ``assets`` exist, so no path leads out.
    """
    kind = TYPES.get(Path(name).suffix)
    if kind is None or not _PLAIN_NAME.fullmatch(name):
        return None
    if accepts_gzip and (packed := _read(STATIC / f"{name}.gz")) is not None:
        return Asset(packed, kind, gzipped=True)
    plain = _read(STATIC / name)
    return None if plain is None else Asset(plain, kind, gzipped=False)


@lru_cache(maxsize=2)
def _manifest(path: Path, _mtime_ns: int) -> dict[str, Any]:
    """The manifest, decoded again only when a new build changed it."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])


def _collect_styles(manifest: dict[str, Any], entry: str, styles: list[str], seen: set[str]) -> None:
    """Style sheets of ``entry`` and of what it imports at once, the imported ones first."""
    if entry in seen:
        return
    seen.add(entry)
    chunk = manifest[entry]
    for imported in chunk.get("imports", ()):
        _collect_styles(manifest, imported, styles, seen)
    styles.extend(name for name in chunk.get("css", ()) if name not in styles)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
