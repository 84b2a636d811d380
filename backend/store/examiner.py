"""Decodes untrusted files in a process of its own, which may crash, hang or run out of memory without harm.

One process, started with the first file and again whenever it died. It is told a path on a line and answers a line: the
file's media type, or ``!`` and why it is refused. It ends by itself when its input does.
"""

import asyncio
import resource
import signal
import sys
from pathlib import Path

from backend.domain.errors import Refusal

SECONDS = 10  # of the processor's time for one file, and of waiting
MEMORY_BYTES = 1 << 30  # address space: 50 megapixels in four channels, twice, beside the libraries


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
        if answer.startswith("!"):
            raise Refusal("ERR_FILE_INVALID", answer[1:])
        return answer

    async def close(self) -> None:
        async with self._turn:
            await self._end()

    async def _ask(self, path: Path) -> str:
        """What the process answers; nothing where it ended before it did."""
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "backend.store.examiner",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
            )
        assert process.stdin is not None
        assert process.stdout is not None
        answer = ""
        try:
            async with asyncio.timeout(SECONDS + 5):
                process.stdin.write(f"{path}\n".encode())
                await process.stdin.drain()
                answer = (await process.stdout.readline()).decode().strip()
                if not answer:  # it is ending: to kill it now could hide by what
                    await process.wait()
        except ConnectionError:
            pass
        except TimeoutError as error:  # though it had not used up its time of the processor: others have that
            text = "The server takes too long to look at the file; try again in a moment."
            raise Refusal("ERR_OVERLOADED", text) from error
        finally:
            if not answer:  # also where the caller gave up: the answer to come would be taken for the next file's
                await asyncio.shield(self._end())
        if process.returncode == -signal.SIGXCPU:
            return "!the file takes too long to decode"
        return answer

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    from backend.store import pictures  # the libraries are loaded before the limits hold

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit_s = int(used.ru_utime + used.ru_stime) + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, resource.RLIM_INFINITY))
        try:
            answer = pictures.examine(Path(line.rstrip("\n")))
        except Refusal as refusal:
            answer = "!" + refusal.text
        except (Exception, MemoryError):
            answer = "!the file could not be decoded"
        print(answer, flush=True)


if __name__ == "__main__":
    main()
