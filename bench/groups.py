"""Several numbers of ranks under one mpirun: part of the ranks measure, the others sleep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .errors import EnvironmentMismatchError
from .mpi import load_mpi

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RANK_MAPS", "check_counts", "rank_order", "split_off", "wait_quietly"]

RANK_MAPS = ("block", "round-robin")
"""How ranks are drawn from hosts: host by host, or one of each host in turn."""

_NAP_S = 0.005  # MPI's own waiting spins on a core; 200 looks per second cost under 1 % of one


def check_counts(counts: Sequence[int], ranks: int) -> None:
    """Refuse numbers of ranks that a launch does not have.

    Raises
    ------
    EnvironmentMismatchError
        If one is larger than the launch.
    """
    if counts and max(counts) > ranks:
        wanted = ",".join(str(count) for count in counts)
        raise EnvironmentMismatchError(
            f"ranks: found {ranks} ranks under this mpirun, expected --ranks {wanted}; start as "
            "many, or leave mpirun out and it is started once per number of ranks"
        )


def rank_order(hosts: Sequence[str], rank_map: str) -> list[int]:
    """Return the ranks in the order in which groups take them.

    >>> rank_order(["a", "b", "a", "b"], "block")
    [0, 2, 1, 3]
    >>> rank_order(["a", "a", "b", "b"], "round-robin")
    [0, 2, 1, 3]
    """
    number = {host: i for i, host in enumerate(dict.fromkeys(hosts))}
    seen: dict[str, int] = {}
    places = []
    for host in hosts:
        local = seen[host] = seen.get(host, -1) + 1
        places.append((number[host], local) if rank_map == "block" else (local, number[host]))
    return sorted(range(len(hosts)), key=places.__getitem__)


def split_off(world: Any, ranks: int, order: Sequence[int]) -> Any:
    """Return a communicator of the first `ranks` of `order`, None on the others; collective."""
    position = order.index(world.rank)
    mpi = load_mpi()
    group = world.Split(0 if position < ranks else mpi.UNDEFINED, position)
    return None if group == mpi.COMM_NULL else group


def wait_quietly(world: Any) -> None:
    """Wait for all ranks without occupying a core; collective."""
    request = world.Ibarrier()
    while not request.Test():
        time.sleep(_NAP_S)
