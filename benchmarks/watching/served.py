"""A server with a fleet, which ends and comes back at the same address."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._servers import KEY, external_id, prepare, serve, start


class Served:
    """`codriver serve` with a fleet of ``drivers``. ``port`` is where it listens, ``names`` are the drivers' external
    ids, ``tokens`` the phones'.
    """

    def __init__(self, folder: Path, drivers: int) -> None:
        self.folder, self.key = folder, KEY
        self.names = [external_id(number) for number in range(drivers)]
        self.tokens = prepare(folder, drivers)
        self.port = 0
        self.again()

    @property
    def pid(self) -> int:
        return self.process.pid

    def again(self) -> None:
        """Begin, or begin once more at the same address when the first process was stopped."""
        with (self.folder / "log").open("a") as log:
            self.process, self.port = start(serve(self.folder, self.port), {}, log)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def served(drivers: int) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder:
        server = Served(Path(folder), drivers)
        try:
            yield server
        finally:
            server.stop()
