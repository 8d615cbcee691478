"""Fill an Environment: asks the machine, MPI and the launcher. Collective over the ranks."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from collections import Counter, defaultdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .environment import ENVIRONMENT_VARIABLES, Environment, Location
from .errors import EnvironmentMismatchError
from .host import as_text, boot_id, distinct_names
from .mpi import describe_library, load_mpi
from .timer import measure_clock
from .topology import Place, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .device import Device
    from .environment import Gpu

__all__ = ["collect", "cores_of", "host_name"]

_PACKAGES = ("collcast", "cupy-cuda12x", "cupy-cuda13x", "h5py", "mpi4py", "nccl4py", "numpy")


def collect(
    communicator: Any,
    command: tuple[str, ...],
    places: Mapping[str, Place],
    device: Device,
    gpu: Gpu | None = None,
    host: str = "",
) -> Environment:
    """Return the environment of this launch, the same on every rank.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    command : the command line
    places : host -> place, from a topology file; may be empty
    device : this rank's device
    gpu : what its driver says of it, if it can be asked
    host : this rank's, by default what `host_name` says of the communicator

    Raises
    ------
    EnvironmentMismatchError
        If the ranks do not run the same collcast.
    """
    host = host or host_name(communicator)
    place = place_of(host.partition("#")[0], places, os.environ)
    mine = (host, sorted(os.sched_getaffinity(0)), device, place, version("collcast"), gpu)
    everyone = communicator.allgather(mine)
    versions = {entry[4] for entry in everyone}
    if len(versions) > 1:
        raise EnvironmentMismatchError(
            f"collcast: found versions {', '.join(sorted(versions))} among the ranks, expected one"
        )
    hosts = tuple(entry[0] for entry in everyone)
    described = _describe_machine(command) if communicator.rank == 0 else None
    fields: dict[str, Any] = communicator.bcast(described)
    fields |= {"gpu": device.name, "driver": device.driver}
    return Environment(
        ranks=communicator.size,
        location=Location(
            host=hosts,
            local_rank=_local_ranks(hosts),
            gpu=tuple(entry[2].uuid for entry in everyone),
            nvlink_domain=tuple(entry[3].nvlink_domain for entry in everyone),
            leaf=tuple(entry[3].leaf for entry in everyone),
            pod=tuple(entry[3].pod for entry in everyone),
        ),
        gpus=tuple({entry[5].uuid: entry[5] for entry in everyone if entry[5]}.values()),
        warnings=_warnings([(entry[2], entry[5]) for entry in everyone]),
        cores_per_host=cores_of(hosts, [entry[1] for entry in everyone]),
        **fields,
    )


def host_name(communicator: Any) -> str:
    """The host's name, unlike that of any other machine among the ranks; collective.

    With COLLCAST_FAKE_NODES=n the launch's ranks are split into n pretended hosts: by rank in the
    whole launch, so that groups taken out of it stay on theirs.
    """
    machines = communicator.allgather((socket.gethostname(), boot_id()))
    name: str = distinct_names(machines)[communicator.rank]
    pretended = os.environ.get("COLLCAST_FAKE_NODES", "")
    if not pretended.isdigit() or int(pretended) < 2:
        return name
    world = load_mpi().COMM_WORLD
    return f"{name}#{world.rank * int(pretended) // world.size}"


def _warnings(devices: list[tuple[Device, Gpu | None]]) -> tuple[str, ...]:
    """Differences among the ranks' devices that make their figures a mixture."""
    found = []
    for what, values in (
        ("GPU models", [device.name for device, _ in devices]),
        ("GPU drivers", [gpu.driver if gpu else device.driver for device, gpu in devices]),
    ):
        counted = Counter(values)
        if len(counted) > 1:
            text = ", ".join(
                f"{name or 'none'} on {n} ranks" for name, n in sorted(counted.items())
            )
            found.append(f"{what} differ among the ranks: {text}")
    return tuple(found)


def _local_ranks(hosts: tuple[str, ...]) -> tuple[int, ...]:
    seen: dict[str, int] = defaultdict(int)
    ranks = []
    for host in hosts:
        ranks.append(seen[host])
        seen[host] += 1
    return tuple(ranks)


def cores_of(hosts: Sequence[str], affinities: Sequence[Sequence[int]]) -> dict[str, int]:
    """Return the cores that each host's ranks may use; pretended hosts share a real one's."""
    used: dict[str, set[int]] = defaultdict(set)
    pretended: dict[str, set[str]] = defaultdict(set)
    for host, affinity in zip(hosts, affinities, strict=True):
        real = host.partition("#")[0]
        used[real].update(affinity)
        pretended[real].add(host)
    return {
        host: max(len(used[real]) // len(names), 1)
        for real, names in pretended.items()
        for host in sorted(names)
    }


def _describe_machine(command: tuple[str, ...]) -> dict[str, Any]:
    library = describe_library()
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "cpu": _cpu_model(),
        "operating_system": platform.platform(),
        "mpi_library": library["library"],
        "mpi_library_path": library["path"],
        "mpi_thread_level": library["thread_level"],
        "packages": _package_versions(),
        "variables": {
            name: as_text(value)
            for name, value in sorted(os.environ.items())
            if name.startswith(ENVIRONMENT_VARIABLES)
        },
        "git_revision": _git_revision(),
        "clock": measure_clock(),
        "labels": {
            name.lower(): os.environ[name]
            for name in ("SLURM_JOB_ID", "SLURM_CLUSTER_NAME", "SLURM_JOB_PARTITION")
            if name in os.environ
        },
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "cpu", "CPU part"}:
            return value.strip()
    return platform.machine()


def _package_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git_revision() -> str:
    """Revision of the working directory; "" outside a repository or without git."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=5, check=True
        )
        return done.stdout.strip()

    try:
        changed = "-dirty" if git("status", "--porcelain", "--untracked-files=no") else ""
        return git("rev-parse", "HEAD") + changed
    except (OSError, subprocess.SubprocessError):
        return ""
