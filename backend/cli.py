"""The command line, ``codriver …``: thin commands over the functions that the server calls too."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.domain.errors import Refusal

if TYPE_CHECKING:
    from backend.store.backup import Copied


class Commands(click.Group):
    """Imports the simulator's commands only when one is used: they need libraries that the server does not."""

    _elsewhere = ("simulate", "demo")

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self._elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._elsewhere:
            return super().get_command(ctx, cmd_name)
        from simulator import cli

        command: click.Command = getattr(cli, cmd_name)
        return command


@click.group(cls=Commands)
@click.version_option(package_name="codriver")
def main() -> None:
    """Codriver: a backend for delivery fleets, and a simulator of them.

    \b
    Try it:        codriver demo
    Start serving: codriver serve --data data
                   codriver account create "My company" --data data

    Settings are environment variables, CODRIVER_…; the README lists them.
    """


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """``START@SPEED`` as Unix seconds and a factor."""
    if value is None:
        return None
    start, _, speed = value.partition("@")
    try:
        moment = datetime.fromisoformat(start)
        factor = float(speed or 1)
    except ValueError as error:
        raise click.BadParameter("Expected START@SPEED, like 2026-03-02T07:00:00Z@30.") from error
    if moment.tzinfo is None:
        raise click.BadParameter("START needs a time zone offset, like 2026-03-02T07:00:00Z.")
    if not 0 < factor <= 10_000:
        raise click.BadParameter("SPEED must be over 0 and at most 10000.")
    return moment.timestamp(), factor


data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Data folder; ./data by default. [CODRIVER_DATA_DIR]",
)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free port.")
@data_option
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Number of processes; more than one needs PostgreSQL and Redis.",
)
@click.option(
    "--clock",
    callback=_moment,
    metavar="START@SPEED",
    help="For demonstrations: simulated time, from START on and SPEED times as fast (loopback only).",
)
@click.option("--public-url", help="Base of links to tracking pages and photos. [CODRIVER_PUBLIC_URL]")
@click.option("--log-level", help="DEBUG, INFO, WARNING or ERROR; INFO by default. [CODRIVER_LOG_LEVEL]")
@click.option("--ends-with-input", is_flag=True, hidden=True, help="Stop when standard input ends.")
def serve(
    host: str,
    port: int,
    data: Path | None,
    workers: int,
    clock: tuple[float, float] | None,
    public_url: str | None,
    log_level: str | None,
    ends_with_input: bool,
) -> None:
    """Start the server: phones, the live map, tracking pages and the APIs."""
    from backend import serving
    from backend.service.desk import Clock

    if clock and host not in ("127.0.0.1", "::1", "localhost"):
        raise click.BadParameter(
            "Simulated time is for demonstrations and tests, on a loopback address only.", param_hint="--clock"
        )
    settings = _settings(data_dir=data, public_url=public_url, log_level=log_level)
    if ends_with_input:
        threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    with _refusals():
        sys.exit(serving.serve(settings, Clock(*clock) if clock else Clock(), host, port, workers))


def _stop_at_end_of_input() -> None:
    """Nothing is ever written there: it ends when its other end is closed, by a process that is killed too."""
    while os.read(0, 1024):  # not by sys.stdin, whose lock would be in the way when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@main.group()
def account() -> None:
    """Manage accounts: one for each company."""


@account.command("create")
@click.argument("name")
@click.option("--key", help="The first API key; a random one by default.")
@data_option
def create_account(name: str, key: str | None, data: Path | None) -> None:
    """Create the account NAME and print its first API key. The key cannot be shown again."""
    from backend import operator

    with _refusals():
        click.echo(operator.create_account(_settings(data_dir=data), name, key))


@main.group()
def fleet() -> None:
    """Manage drivers and vehicles."""


@fleet.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--account", "name", required=True, help="The account's name.")
@data_option
def import_fleet(file: Any, name: str, data: Path | None) -> None:
    """Create or update the drivers and vehicles in FILE: JSON, the same as the body of PUT /api/fleet."""
    from backend import operator

    with _refusals():
        counts = operator.import_fleet(_settings(data_dir=data), name, file.read())
    for thing, count in counts.items():
        click.echo(f"{thing}: " + ", ".join(f"{number} {what}" for what, number in count.items()))


@main.command()
@click.option(
    "--to",
    required=True,
    metavar="URL",
    help="Address of an empty database: postgresql://user:password@host/name.",
)
@data_option
def migrate(to: str, data: Path | None) -> None:
    """Copy the SQLite database to PostgreSQL.

    Copies everything and verifies it row by row; if anything fails, nothing is kept. The server must be stopped
    meanwhile. Photos and the secret stay in the data folder.
    """
    from backend import operator

    with _refusals():
        counts = operator.migrate(_settings(data_dir=data), to, click.echo)
    rows = sum(counts.values())
    click.echo(f"{rows} rows were copied and verified. Serve with CODRIVER_DATABASE_URL set to this database.")


@main.command()
@click.argument("to", type=click.Path(path_type=Path))
@data_option
def backup(to: Path, data: Path | None) -> None:
    """Copy the data folder to the new folder TO and verify the copy.

    Works while the server runs. The copy is itself a data folder: restore it, or serve from it.
    """
    from backend import operator

    with _refusals():
        copied = operator.back_up(_settings(data_dir=data), to)
    click.echo(f"Backed up and verified in {to}: {_contents(copied)}.")


@main.command()
@click.argument("source", metavar="BACKUP", type=click.Path(path_type=Path))
@data_option
def restore(source: Path, data: Path | None) -> None:
    """Verify BACKUP and copy it to a data folder that is empty or does not exist yet."""
    from backend import operator

    with _refusals():
        copied = operator.restore(_settings(data_dir=data), source)
    click.echo(f"Restored: {_contents(copied)}.")


def _contents(copied: "Copied") -> str:
    files = "1 photo or document" if copied.files == 1 else f"{copied.files} photos and documents"
    return f"a database of {copied.database_bytes} bytes, {files}"


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Print a refusal, also one by the system, as one line instead of a trace."""
    try:
        yield
    except Refusal as refusal:
        place = f" ({refusal.where})" if refusal.where else ""
        raise click.ClickException(f"{refusal.code}: {refusal.text}{place}") from refusal
    except OSError as error:
        raise click.ClickException(f"ERR_SYSTEM: {error}") from error


def _settings(**given: object) -> Any:
    from backend.settings import Settings

    with _refusals():
        return Settings.from_environment(**given)


if __name__ == "__main__":
    main()
