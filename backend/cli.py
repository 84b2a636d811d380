"""``codriver …``: thin commands over the same verbs that the server calls."""

import contextlib
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from backend.domain.errors import Refusal


class Commands(click.Group):
    """Loads the simulator's commands only when one is asked for: they bring libraries that serving does without."""

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
    """Codriver, the driver's companion: serve a fleet's phones, maps and recipients; simulate whole fleets."""


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """``START@SPEED`` as Unix seconds and a factor."""
    if value is None:
        return None
    start, _, speed = value.partition("@")
    try:
        moment = datetime.fromisoformat(start)
        factor = float(speed or 1)
    except ValueError as error:
        raise click.BadParameter("It takes START@SPEED, like 2026-03-02T07:00:00Z@30.") from error
    if moment.tzinfo is None:
        raise click.BadParameter("START needs its offset, like 2026-03-02T07:00:00Z.")
    if not 0 < factor <= 10_000:
        raise click.BadParameter("SPEED is over 0 and at most 10000.")
    return moment.timestamp(), factor


data_option = click.option("--data", type=click.Path(path_type=Path), help="The data folder [CODRIVER_DATA_DIR].")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@data_option
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Processes; several need PostgreSQL and Redis.",
)
@click.option(
    "--clock", callback=_moment, metavar="START@SPEED", help="Let now run from START at SPEED (loopback only)."
)
@click.option("--public-url", help="The address that links are given out with [CODRIVER_PUBLIC_URL].")
@click.option("--log-level", help="[CODRIVER_LOG_LEVEL]")
def serve(
    host: str,
    port: int,
    data: Path | None,
    workers: int,
    clock: tuple[float, float] | None,
    public_url: str | None,
    log_level: str | None,
) -> None:
    """Serve phones, maps, recipients and other systems."""
    from backend import serving
    from backend.service.desk import Clock

    if clock and host not in ("127.0.0.1", "::1", "localhost"):
        raise click.BadParameter(
            "It is for demonstrations and tests, on a loopback address only.", param_hint="--clock"
        )
    settings = _settings(data_dir=data, public_url=public_url, log_level=log_level)
    with _refusals():
        sys.exit(serving.serve(settings, Clock(*clock) if clock else Clock(), host, port, workers))


@main.group()
def account() -> None:
    """Companies."""


@account.command("create")
@click.argument("name")
@click.option("--key", help="The first API key; a random one where this is left out.")
@data_option
def create_account(name: str, key: str | None, data: Path | None) -> None:
    """Create the account NAME and print its API key, once."""
    from backend import operator

    with _refusals():
        click.echo(operator.create_account(_settings(data_dir=data), name, key))


@main.group()
def fleet() -> None:
    """Drivers and vehicles."""


@fleet.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--account", "name", required=True, help="The account's name.")
@data_option
def import_fleet(file: Any, name: str, data: Path | None) -> None:
    """Declare the fleet in FILE (JSON, the body of PUT /api/fleet)."""
    from backend import operator

    with _refusals():
        counts = operator.import_fleet(_settings(data_dir=data), name, file.read())
    for thing, count in counts.items():
        click.echo(f"{thing}: " + ", ".join(f"{number} {what}" for what, number in count.items()))


@main.command()
@click.option("--to", required=True, metavar="URL", help="An empty database: postgresql://user:password@host/name.")
@data_option
def migrate(to: str, data: Path | None) -> None:
    """Copy the SQLite database into PostgreSQL: all of it, checked row for row, or nothing.

    The server must be stopped meanwhile. Photos and the secret stay in the data folder.
    """
    from backend import operator

    with _refusals():
        counts = operator.migrate(_settings(data_dir=data), to, click.echo)
    click.echo(f"{sum(counts.values())} rows were copied and checked. Serve with CODRIVER_DATABASE_URL set to it.")


@main.command()
@click.argument("to", type=click.Path(path_type=Path))
@data_option
def backup(to: Path, data: Path | None) -> None:
    """Copy the data folder to the new folder TO, also while the server runs, and check the copy.

    The copy is a data folder itself: restore it, or serve from it.
    """
    from backend import operator

    with _refusals():
        copied = operator.back_up(_settings(data_dir=data), to)
    click.echo(
        f"{copied.database_bytes} bytes of database and {copied.files} photos and documents, checked, are in {to}."
    )


@main.command()
@click.argument("source", metavar="BACKUP", type=click.Path(path_type=Path))
@data_option
def restore(source: Path, data: Path | None) -> None:
    """Check BACKUP and copy it to a data folder that is empty or not there yet."""
    from backend import operator

    with _refusals():
        copied = operator.restore(_settings(data_dir=data), source)
    click.echo(f"{copied.database_bytes} bytes of database and {copied.files} photos and documents were restored.")


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Tell a refusal in a line instead of a trace."""
    try:
        yield
    except Refusal as refusal:
        place = f" ({refusal.where})" if refusal.where else ""
        raise click.ClickException(f"{refusal.code}: {refusal.text}{place}") from refusal


def _settings(**given: object) -> Any:
    from backend.settings import Settings

    with _refusals():
        return Settings.from_environment(**given)


if __name__ == "__main__":
    main()
