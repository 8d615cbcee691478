"""The communicator of a launch, checked against what was asked for."""

from __future__ import annotations

import os
from typing import Any

from .errors import EnvironmentMismatchError
from .launcher import launched_size
from .mpi import first_line, load_mpi

__all__ = ["join_world"]


def join_world() -> Any:
    """Initialise MPI and return a duplicate of its world communicator.

    Raises
    ------
    EnvironmentMismatchError
        If this MPI sees another number of ranks than its launcher started: the launcher of one MPI
        with the library of another gives N independent worlds of 1.
    """
    mpi = load_mpi()
    world = mpi.COMM_WORLD
    started = launched_size(os.environ)
    if started is not None and started != world.size:
        raise EnvironmentMismatchError(
            f"world: found {world.size} ranks in {first_line(mpi.Get_library_version())}, expected "
            f"{started} as the launcher started: mpirun belongs to another MPI than the one that "
            "mpi4py loaded; use that one's mpirun, or name its library in MPI4PY_LIBMPI"
        )
    return world.Dup()
