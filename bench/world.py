"""The communicator of a launch, checked against what was asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .errors import EnvironmentMismatchError
from .launcher import launched_size
from .mpi import first_line, load_mpi

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["join_world"]


def join_world(expected_ranks: Sequence[int] = ()) -> Any:
    """Initialise MPI and return a duplicate of its world communicator.

    Parameters
    ----------
    expected_ranks : at most one number of ranks that this launch must have

    Raises
    ------
    EnvironmentMismatchError
        If this MPI sees another number of ranks than its launcher started (the launcher of one MPI
        with the library of another gives N independent worlds of 1), or than expected.
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
    if expected_ranks and tuple(expected_ranks) != (world.size,):
        wanted = ",".join(str(ranks) for ranks in expected_ranks)
        raise EnvironmentMismatchError(
            f"ranks: found {world.size} ranks under this mpirun, expected --ranks {wanted}; leave "
            "--ranks out, or leave mpirun out and it is started once per number of ranks"
        )
    return world.Dup()
