"""The one command, ``collcast``: finds its sub-commands, renders errors, sets the exit status.

Sub-commands are entry points of the group ``collcast.commands`` and are imported when they are
named, so that neither room imports the other and ``collcast --help`` answers at once.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any

import click

from .errors import CollcastError
from .launcher import RANK_0_SPEAKS_S, launched_rank

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["cli", "main"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class _Commands(click.Group):
    """A group whose commands are entry points, loaded by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._entry_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self._entry_points().get(cmd_name)
        if found is None:
            return None
        command: click.Command = found.load()
        return command

    @staticmethod
    def _entry_points() -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group="collcast.commands")}


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("collcast"), prog_name="collcast")
def cli() -> None:
    """Measure collective communication; cast it to the fabric you plan."""


def main(arguments: list[str] | None = None) -> Any:
    """Run ``collcast``; mistakes become one line on standard error and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may be no text
    try:
        status = cli.main(arguments, prog_name="collcast", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _complain(error.format_message())
        sys.exit(error.exit_code)
    except click.Abort:
        _complain("interrupted")
        sys.exit(130)
    except CollcastError as error:
        _complain(str(error))
        sys.exit(error.exit_status)
    except OSError as error:
        if error.filename is not None or error.errno not in _FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes what is left as it ends
        _complain(f"standard output: cannot be written: {error.strerror}")
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)


def _complain(message: str) -> None:
    """Print one line, from one rank."""
    if launched_rank(os.environ) not in {None, 0}:
        # mpirun ends the job when the first rank does: rank 0 must have spoken by then.
        time.sleep(RANK_0_SPEAKS_S)
        return
    click.echo(f"collcast: {' '.join(message.split())}", err=True)
