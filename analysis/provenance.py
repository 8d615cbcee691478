"""Provenance: what measured, in words for a heading and a table."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from ..bench.units import format_seconds

if TYPE_CHECKING:
    from ..bench.sample import Campaign, Launch

__all__ = ["describe_launches", "machine_line"]

_MOST_NAMES = 3


def machine_line(campaign: Campaign) -> str:
    """Return processor, GPU, communication library, hosts and day of a campaign, in one line.

    Of a campaign of imported tables alone, the logs' names.
    """
    if not campaign.launches:
        names = list(dict.fromkeys(table.source for table in campaign.imported))
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        sources = ", ".join(names[:_MOST_NAMES]) + more
        return f"imported from {sources}, collcast {version('collcast')}"
    first = campaign.launches[0].environment
    hosts = max(launch.environment.hosts for launch in campaign.launches)
    library = first.mpi_library.split(",")[0].strip()
    parts = [
        first.gpu,
        first.cpu,
        library,
        f"NCCL {first.nccl_version}" if first.nccl_version else "",
        f"{hosts} hosts" if hosts > 1 else "1 host" if hosts else "",
        first.created[:10],
        f"collcast {version('collcast')}",
    ]
    return ", ".join(part for part in parts if part)


def describe_launches(campaign: Campaign) -> list[dict[str, str]]:
    """Return every launch as fact -> text, facts that nobody recorded left out."""
    return [
        {name: text for name, text in _facts(launch).items() if text}
        for launch in campaign.launches
    ]


def _facts(launch: Launch) -> dict[str, str]:
    environment, protocol = launch.environment, launch.protocol
    clock = environment.clock
    stamp = f"{clock.name}, one stamp {format_seconds(clock.stamp_ns * 1e-9)}" if clock.name else ""
    cores = ", ".join(f"{host}: {count}" for host, count in environment.cores_per_host.items())
    return {
        "launch": str(launch.number),
        "started": environment.created,
        "command": " ".join(environment.command),
        "ranks": str(environment.ranks),
        "cores per host": cores,
        "processor": environment.cpu,
        "GPU": environment.gpu,
        "driver": environment.driver,
        "operating system": environment.operating_system,
        "MPI": environment.mpi_library,
        "MPI thread level": environment.mpi_thread_level,
        "NCCL": environment.nccl_version,
        "packages": _pairs(environment.packages, " "),
        "variables": _pairs(environment.variables, "="),
        "revision": environment.git_revision,
        "clock": stamp,
        "protocol": (
            f"{protocol.mode}, start by {protocol.synchronisation}, "
            f"{protocol.repetitions} repetitions, {protocol.warmup} before, "
            f"batch {protocol.batch}, seed {protocol.seed}"
            + (f", skew {protocol.skew}" if protocol.skew else "")
        ),
        "labels": _pairs(environment.labels, "="),
    }


def _pairs(values: dict[str, str], between: str) -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in sorted(values.items()))
