"""Decodes untrusted files in a process of its own, which may crash, hang or run out of memory without harm.

One process, started with the first file and again whenever it died. It is told a path on a line and answers a line: the
file's media type, ``?``, or ``!`` and why it is refused; its first line says that it is ready. It ends by itself when
its input does.
"""

import asyncio
import contextlib
import logging
import resource
import signal
import sys
from pathlib import Path

from backend.domain.errors import Refusal

SECONDS = 10  # of the processor's time for one file, and of waiting
READY = b"ready\n"  # what it says first
UNREADABLE = "?"  # which is the disk's fault
MEMORY_BYTES = 1 << 30  # address space: 50 megapixels in four channels, twice, beside the libraries

log = logging.getLogger(__name__)


class Examiner:
    """``await examiner.examine(path)`` with an absolute path; files wait for each other."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def examine(self, path: Path) -> str:
        """The file's media type. Refuses with ``ERR_FILE_INVALID`` whatever is not a sound file of an accepted type,
        and with ``ERR_OVERLOADED`` where the machine is too busy to tell."""
        async with self._turn:
            # Who ended it may have been the machine, short of memory, or Ctrl-C, which every process hears: as a
            # refusal is final, and the phone forgets the file, the file is to blame only where it happens again
            answer = await self._ask(path) or await self._ask(path) or "!the file could not be decoded"
        if answer == UNREADABLE:
            raise _busy()
        if answer.startswith("!"):
            raise Refusal("ERR_FILE_INVALID", answer[1:])
        return answer

    async def close(self) -> None:
        async with self._turn:
            await self._end()

    async def _ask(self, path: Path) -> str:
        """What the process answers; nothing where it ended before it did."""
        answer = ""
        try:
            async with asyncio.timeout(SECONDS + 5):
                process = await self._ready()
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write(f"{path}\n".encode())
                with contextlib.suppress(ConnectionError):  # it has ended, or is ending
                    await process.stdin.drain()
                    answer = (await process.stdout.readline()).decode().strip()
                if not answer:  # to kill it now could hide by what it ends
                    await process.wait()
        except TimeoutError as error:  # though it had not used up its time of the processor: others have that
            raise _busy() from error
        finally:
            if not answer:  # also where the caller gave up: the answer to come would be taken for the next file's
                await asyncio.shield(self._end())
        if process.returncode == -signal.SIGXCPU:
            return "!the file takes too long to decode"
        return answer

    async def _ready(self) -> asyncio.subprocess.Process:
        """The process, started where there is none. Refuses where it does not come so far as to look at a file, for
        which no file is to blame."""
        process = self._process
        if process is not None and process.returncode is None:
            return process
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "backend.store.examiner",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
            )
        except OSError as error:  # the machine has no process or no file left for it
            log.warning("files cannot be looked at: %s", error)
            raise _busy() from error
        assert process.stdout is not None
        if await process.stdout.readline() != READY:
            log.warning("files cannot be looked at: the process for it ended with %d", await process.wait())
            raise _busy()
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


def _busy() -> Refusal:
    return Refusal("ERR_OVERLOADED", "The server takes too long to look at the file; try again in a moment.")


def main() -> None:
    from backend.store import pictures  # the libraries are loaded before the limits hold

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(READY.decode(), end="", flush=True)
    for line in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit_s = int(used.ru_utime + used.ru_stime) + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, resource.RLIM_INFINITY))
        try:
            answer = pictures.examine(Path(line.rstrip("\n")))
        except Refusal as refusal:
            answer = "!" + refusal.text
        except OSError:
            answer = UNREADABLE
        except Exception:
            answer = "!the file could not be decoded"
        print(answer, flush=True)


if __name__ == "__main__":
    main()
