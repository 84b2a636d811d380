"""Connections that cannot be taken in, and what the system is told of those that can."""

import asyncio
import errno
import logging
import os
import socket
from typing import NoReturn

import pytest

from backend import server
from backend.server import acceptor
from backend.server.acceptor import Acceptor
from backend.server.run import UNACKNOWLEDGED_MS, UNSENT_BYTES


class OutOfFiles(socket.socket):
    """Listens, and has no file left for who comes."""

    def accept(self) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def test_that_files_run_out_is_told_once_and_not_at_each_try(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "PAUSE_S", 0.001)
    tries = 0

    def make_room() -> int:
        nonlocal tries
        tries += 1
        return 0

    async def try_often() -> None:
        seen = tries
        async with asyncio.timeout(60):
            while tries < seen + 20:
                await asyncio.sleep(0.001)

    with OutOfFiles() as listener, caplog.at_level(logging.ERROR, "codriver.server"), socket.socket() as one:
        listener.bind(("127.0.0.1", 0))
        accepting = Acceptor(listener, asyncio.Protocol, make_room)
        one.connect(listener.getsockname())
        await try_often()
        assert len(caplog.records) == 1 and "Too many open files" in caplog.text
        monkeypatch.setattr(acceptor, "TELL_S", 0.0)
        await try_often()
        assert len(caplog.records) > 1, "and again while it lasts"
        accepting.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone ends them by itself")
@pytest.mark.parametrize("shared", [False, True])
def test_the_system_ends_a_connection_whose_peer_takes_nothing_and_keeps_little_for_it(shared: bool) -> None:
    """No timer of ours sees an answer that is on its way to somebody who vanished."""
    with server.bind("127.0.0.1", 0, shared=shared) as listener, socket.socket() as one:
        listener.listen()
        one.connect(listener.getsockname())
        taken, _ = listener.accept()
        with taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED_MS > 0
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT_BYTES > 0
