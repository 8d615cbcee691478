"""Several numbers of ranks under one mpirun: part of the ranks measure, the others sleep.

Or measure, too, in groups of their own, or load the network.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import EnvironmentMismatchError
from .mpi import load_mpi

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "RANK_MAPS",
    "Part",
    "check_counts",
    "rank_order",
    "split_off",
    "spread",
    "take_part",
    "wait_quietly",
]

RANK_MAPS = ("block", "round-robin")
"""How ranks are drawn from hosts: host by host, or one of each host in turn."""

_NAPS_S = 0.001, 0.025  # MPI's own waiting spins on a core; a look costs up to 0.2 ms of one
_LONGER = 20  # a wait is lengthened by this part of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Communicators of one rank while one number of ranks is measured."""

    launch: Any
    """All that take part: those that measure, group by group, then those that load the network."""

    measuring: Any
    """All that measure; None on a rank that loads."""

    group: Any
    """Those that this rank communicates with."""

    def free(self) -> None:
        """Give the communicators back; collective."""
        for communicator in {id(c): c for c in (self.group, self.measuring, self.launch)}.values():
            if communicator is not None:
                communicator.Free()


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


def spread(hosts: Sequence[str], count: int) -> frozenset[int]:
    """Return which of the ranks on `hosts` load the network: every host gives the same share.

    Host by host, rank i of n is one of them where floor((i + 1) count / n) > floor(i count / n).
    GPCNeT gives whole hosts; here both sides share the hosts' links to the network as well.

    >>> sorted(spread(["a", "a", "a", "a", "b", "b", "b", "b"], 4))
    [1, 3, 5, 7]
    """
    ranks = len(hosts)
    return frozenset(
        rank
        for place, rank in enumerate(rank_order(hosts, "block"))
        if (place + 1) * count // ranks > place * count // ranks
    )


def take_part(
    world: Any,
    hosts: Sequence[str],
    order: Sequence[int],
    ranks: int,
    *,
    loading: int = 0,
    concurrent: bool = False,
) -> Part | None:
    """Return this rank's communicators, None if it sleeps; collective.

    Parameters
    ----------
    hosts : of every rank of the world
    order : the world's ranks as groups take them
    ranks : those that take part, loading ones included; with `concurrent`, those of a group
    loading : how many of them load the network
    concurrent : whether as many groups are made as there are ranks for
    """
    taken = order[: ranks * (world.size // ranks if concurrent else 1)]
    chosen = spread([hosts[rank] for rank in taken], loading)
    measure = [rank for place, rank in enumerate(taken) if place not in chosen]
    load = [rank for place, rank in enumerate(taken) if place in chosen]
    launch = split_off(world, len(taken), [*measure, *load, *order[len(taken) :]])
    if launch is None:
        return None
    if loading:
        team = launch.Split(int(launch.rank >= len(measure)), launch.rank)
        return Part(launch=launch, measuring=team if world.rank in measure else None, group=team)
    group = launch
    if len(taken) > ranks:
        group = launch.Split(launch.rank // ranks, launch.rank)
    return Part(launch=launch, measuring=launch, group=group)


def wait_quietly(world: Any) -> None:
    """Wait for all ranks without occupying a core; collective."""
    request = world.Ibarrier()
    began_s = time.monotonic()
    while not request.Test():
        time.sleep(min(max((time.monotonic() - began_s) / _LONGER, _NAPS_S[0]), _NAPS_S[1]))
