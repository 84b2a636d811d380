"""Pictures to hand in, and a connection that breaks."""

import io
import socket
import threading
import uuid
from typing import Any

import httpx
from PIL import Image

from tests.serving import Phone

MOST_BYTES = 15 * 1024 * 1024


def picture(colour: str = "red", size: tuple[int, int] = (32, 24), form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, form, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int]) -> bytes:
    """A picture that does not get smaller."""
    buffer = io.BytesIO()
    Image.effect_noise(size, 200).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def hand_in(phone: Phone, file: bytes, id: str | None = None, **fields: str) -> httpx.Response:
    data = {"id": id or str(uuid.uuid4()), "kind": "image", **fields}
    return phone.client.post("/driver/v1/attachments", data=data, files={"file": ("a.png", file, "image/png")})


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


class Cutting:
    """Stands between a client and the server, and cuts each connection after so many bytes of the client's."""

    def __init__(self, port: int, after: int) -> None:
        self.after, self.cuts, self._target = after, 0, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            threading.Thread(target=self._back, args=(server, client), daemon=True).start()
            carried = 0
            while data := client.recv(8192):
                carried += len(data)
                server.sendall(data)
                if carried > self.after:
                    self.cuts += 1
                    return

    @staticmethod
    def _back(server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(8192):
                client.sendall(data)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()
