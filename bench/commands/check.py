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
    from ..store import repair_campaign, survey_campaign

    survey = survey_campaign(file)
    for finding in survey.findings:
        click.echo(finding)
    click.echo(f"{file}: {_summary(survey)}")
    if output is not None:
        repair_campaign(file, output)
        click.echo(f"{output}: {survey.launches} launches and {survey.cases} cases written")
    ctx.exit(0 if survey.is_whole else 1)


def _summary(survey: Survey) -> str:
    state = "whole" if survey.is_whole else "damaged"
    parts = [f"{state}, {survey.launches} launches, {survey.cases} cases readable"]
    if survey.records:
        parts.append(f"{survey.records} records in the journal, not consolidated")
    if survey.torn_bytes:
        parts.append(
            f"{survey.torn_bytes} torn bytes at the journal's end: the record that was being "
            "written when the run ended"
        )
    if survey.findings:
        parts.append(f"{len(survey.findings)} damaged objects")
    return "; ".join(parts)
