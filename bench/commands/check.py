"""``collcast check``: say what is whole in a campaign, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..store import Survey

__all__ = ["check"]

_MOST_NAMED = 10


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--repair",
    "output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Write what is whole to a new file.",
)
@click.pass_context
def check(ctx: click.Context, file: Path, output: Path | None) -> None:
    """Say what is wrong in a campaign FILE and its journal, and where.

    Cases with wrong elements or figures that cannot be believed are named, too; they are whole.

    Exit status: 0 if all is whole, 1 if something is damaged, 2 if FILE is no campaign.
    """
    from ..board import board_folder, read_board
    from ..errors import StoreError
    from ..store import holder_of, is_alive, lock_of, repair_campaign, survey_campaign
    from ..watchdog import describe_board

    survey = survey_campaign(file)
    for finding in survey.findings:
        click.echo(finding)
    for line in _doubts(survey):
        click.echo(f"{file}: {line}")
    click.echo(f"{file}: {_summary(survey)}")
    holder = holder_of(file)
    if holder is not None:
        state = {True: "runs", False: "has ended", None: "is of another machine"}[is_alive(holder)]
        click.echo(f"{lock_of(file)}: held by {holder}, which {state}")
    statuses = read_board(board_folder(file))
    if statuses:
        click.echo(f"{board_folder(file)}: ranks of a launch that runs, or that ended badly:")
        for line in describe_board(statuses):
            click.echo(f"  {line}")
    if output is not None:
        if not (survey.launches or survey.imported):
            raise StoreError(f"{file}: found nothing whole, expected at least 1 launch to write")
        repair_campaign(file, output)
        click.echo(f"{output}: {_held(survey)} written")
    ctx.exit(0 if survey.is_whole else 1)


def _summary(survey: Survey) -> str:
    state = "whole" if survey.is_whole else "damaged"
    parts = [f"{state}, {_held(survey)} readable"]
    if survey.records:
        parts.append(f"{_count(survey.records, 'record')} in the journal, not consolidated")
    if survey.torn_bytes:
        torn = _count(survey.torn_bytes, "torn byte")
        parts.append(f"{torn} at the journal's end, of a record that was never finished")
    if survey.findings:
        parts.append(f"{_count(len(survey.findings), 'finding')} above")
    return "; ".join(parts)


def _doubts(survey: Survey) -> list[str]:
    """What is whole, and not to be used."""
    lines = []
    if survey.wrong:
        lines.append(
            f"{_count(len(survey.wrong), 'case')} with wrong elements: {_some(survey.wrong)}"
        )
    reasons: dict[str, list[int]] = {}
    for number, reason in survey.suspect:
        reasons.setdefault(reason, []).append(number)
    for reason, numbers in sorted(reasons.items()):
        lines.append(f"{_count(len(numbers), 'case')} suspect ({reason}): {_some(numbers)}")
    if survey.suspect_cells:
        lines.append(f"{survey.suspect_cells} of {_count(survey.cells, 'imported cell')} suspect")
    return lines


def _some(numbers: Sequence[int]) -> str:
    names = [f"cases/{number}" for number in numbers[:_MOST_NAMED]]
    return ", ".join(names) + (" ..." if len(numbers) > _MOST_NAMED else "")


def _held(survey: Survey) -> str:
    parts = [_count(survey.launches, "launch", "es"), _count(survey.cases, "case")]
    if survey.imported:
        tables = _count(survey.imported, "imported table")
        parts.append(f"{tables} ({_count(survey.cells, 'cell')})")
    return ", ".join(parts)


def _count(number: int, noun: str, ending: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else ending}"
