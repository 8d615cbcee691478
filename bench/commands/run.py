"""``collcast run``: measure collectives."""

from __future__ import annotations

import click


@click.command()
def run() -> None:
    """Measure collectives."""
