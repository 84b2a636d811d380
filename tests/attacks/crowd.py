"""Many websockets in a process of its own, which reads nothing once all are open and may be stopped. Run as a program:

``crowd.py PORT PATH COUNT RECEIVE_BUFFER MESSAGE SECRET…``; the message is sent by each, the secrets are taken in turn.
"""

import itertools
import signal
import socket
import sys

from websockets.frames import Frame, Opcode

from tests.attacks.wires import allow_many_files, handshake


def main() -> None:
    port, path, count, receive_buffer, message, *secrets = sys.argv[1:]
    allow_many_files()
    crowd = []
    for secret in itertools.islice(itertools.cycle(secrets), int(count)):
        one = socket.socket()
        if int(receive_buffer):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(receive_buffer))
        one.settimeout(100)
        one.connect(("127.0.0.1", int(port)))
        one.sendall(handshake(path, secret))
        crowd.append(one)
    for one in crowd:
        head = one.recv(129)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise SystemExit(f"refused: {head!r}")
    for one in crowd:
        one.sendall(Frame(Opcode.TEXT, message.encode()).serialize(mask=True) if message else b"")
    print("open", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
