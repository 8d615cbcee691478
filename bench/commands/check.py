"""``collcast check``: say what is whole in a campaign, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..store import Survey

__all__ = ["check"]


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

    Exit status: 0 if all is whole, 1 if something is damaged, 2 if FILE is no campaign.
    """
    from ..board import board_folder, read_board
    from ..store import repair_campaign, survey_campaign
    from ..watchdog import describe_board

    survey = survey_campaign(file)
    for finding in survey.findings:
        click.echo(finding)
    click.echo(f"{file}: {_summary(survey)}")
    statuses = read_board(board_folder(file))
    if statuses:
        click.echo(f"{board_folder(file)}: ranks of a launch that runs, or that ended badly:")
        for line in describe_board(statuses):
            click.echo(f"  {line}")
    if output is not None:
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


def _held(survey: Survey) -> str:
    return f"{_count(survey.launches, 'launch', 'es')}, {_count(survey.cases, 'case')}"


def _count(number: int, noun: str, ending: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else ending}"
