"""Options of ``collcast run`` that only GPUs and NCCL know, and what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import CaseError
from ..protocol import METRICS, REGISTRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_queued", "gpu_options", "metric_of"]

_Command = TypeVar("_Command", bound="Callable[..., Any] | click.Command")

_OPTIONS = (
    click.option(
        "--metric",
        type=click.Choice(METRICS),
        help="Latency over NCCL: host (call to completed wait) or device (open gate to completion, "
        "by events; the launch is hidden)  [device for NCCL alone, else host]",
    ),
    click.option(
        "--registration",
        type=click.Choice(REGISTRATIONS),
        default=REGISTRATIONS[0],
        show_default=True,
        help="Whether NCCL knows the buffers beforehand; window: symmetric memory.",
    ),
    click.option(
        "--staging-chunk",
        default="0",
        show_default=True,
        help="Copy staged messages in chunks of this size, overlapping with MPI; 0: whole.",
    ),
)


def gpu_options(command: _Command) -> _Command:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def metric_of(given: dict[str, Any], transports: tuple[str, ...]) -> str:
    """Return the metric asked for, or the one that fits mode and transports."""
    gated = given["protocol"] == "latency" and transports == ("nccl",)
    return str(given["metric"] or ("device" if gated else "host"))


def check_queued(given: dict[str, Any], transports: tuple[str, ...]) -> None:
    """Refuse what needs a stream where a transport has none.

    Raises
    ------
    CaseError
        Names the option and what it needs.
    """
    for name, found, ordinary in (
        ("protocol", given["protocol"], given["protocol"] != "graph"),
        ("metric", given["metric"], given["metric"] != "device"),
        ("registration", given["registration"], given["registration"] == "none"),
    ):
        if not ordinary and transports != ("nccl",):
            raise CaseError(
                f"{name}: found {found} over {','.join(transports)}, expected --transport nccl "
                "alone: the others do not queue on a stream"
            )
    if given["staging_chunk"] != "0" and "all_to_allv" in given["collectives"]:
        raise CaseError(
            f"staging-chunk: found {given['staging_chunk']} for all_to_allv, expected 0: a chunk "
            "is the same part of every block, and its blocks differ in length"
        )
    if given["staging_chunk"] != "0" and "staged" not in transports:
        raise CaseError(
            f"staging-chunk: found {given['staging_chunk']} over {','.join(transports)}, expected "
            "--transport staged"
        )
