"""A server on this machine that speaks as Photon and as Nominatim do, and misbehaves on demand."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CHUNK = b"x" * 65536


class StandIn:
    """``answers`` has for an address (``q``) a value that is answered as JSON, bytes that are answered as they are, a
    status with headers, or what goes wrong; any other address is one of which nothing is known."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[float, str, dict[str, list[str]], dict[str, str]]] = []  # when, path, query, headers
        self.most_at_once = 0
        self.closed = False
        self.speaking = threading.Event()  # while it is clear, whoever asks waits
        self.speaking.set()
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closed = True  # connections that are open answer no more
        self.speaking.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def questions(self) -> list[str]:
        """The addresses that were asked for, in order."""
        return [query["q"][0] for _, _, query, _ in self.asked]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                with standin._lock:
                    standin.asked.append((time.monotonic(), parts.path, query, dict(self.headers)))
                    standin._at_once += 1
                    standin.most_at_once = max(standin.most_at_once, standin._at_once)
                standin.speaking.wait(100)
                with standin._lock:  # before it answers: who has the answer may ask again at once
                    standin._at_once -= 1
                try:
                    self._answer(
                        "hang up" if standin.closed else standin.answers.get(query["q"][0], NOTHING[parts.path])
                    )
                except OSError:
                    self.close_connection = True

            def _answer(self, answer: Any) -> None:
                match answer:
                    case int(status), dict(headers):
                        self._send(status, b'{"error": {"code": 0, "message": "no"}}', headers)
                    case "hang up":
                        self.close_connection = True
                    case "never end":
                        self.send_response(200)
                        self.end_headers()
                        self.close_connection = True
                        for _ in range(100_000):
                            self.wfile.write(CHUNK)
                    case bytes(body):
                        self._send(200, body, {})
                    case value:
                        self._send(200, json.dumps(value).encode(), {})

            def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, text in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@contextmanager
def standing_in() -> Iterator[StandIn]:
    standin = StandIn()
    try:
        yield standin
    finally:
        standin.close()


def photon(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def feature(latitude: float, longitude: float, kind: str = "house", **properties: Any) -> dict[str, Any]:
    """One of Photon's results."""
    known = {"osm_type": "W", "osm_id": 38862723, "osm_key": "building", "osm_value": "yes", "type": kind}
    extent = [longitude - 0.001, latitude + 0.001, longitude + 0.001, latitude - 0.001]
    return {
        "type": "Feature",
        "properties": {**known, "extent": extent, **properties},
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
    }


def place(latitude: float, longitude: float, rank: int, label: str, name: str = "", **address: str) -> dict[str, Any]:
    """One of Nominatim's results."""
    return {
        "place_id": 125279639,
        "licence": "Data © OpenStreetMap contributors, ODbL 1.0. http://osm.org/copyright",
        "osm_type": "way",
        "osm_id": 90394480,
        "lat": f"{latitude:.7f}",
        "lon": f"{longitude:.7f}",
        "category": "building",
        "type": "residential",
        "place_rank": rank,
        "importance": 9.999999994736442e-08,
        "addresstype": "building",
        "name": name,
        "display_name": label,
        "address": address,
        "boundingbox": ["52.5487473", "52.5488481", "-1.8165130", "-1.8163464"],
    }


NOTHING: dict[str, Any] = {"/api": photon(), "/photon/api": photon(), "/search": []}
