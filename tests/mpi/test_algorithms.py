"""Algorithms by name give bit-exact results through MPI, on every number of ranks there is.

One launch of 9 ranks checks 1 to 9: smaller ones are split out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from collcast.bench.algorithms import ALGORITHMS
from collcast.bench.buffers import BufferPool
from collcast.bench.case import BYTES_PER_ELEMENT, PLACEMENTS, Case
from collcast.bench.checker import Checker
from collcast.bench.groups import split_off
from collcast.bench.mpi import address_of
from collcast.bench.support import reducible
from collcast.bench.transports import open_transport
from collcast.bench.transports.point_to_point import node_numbers
from collcast.native import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMED = [(name, algorithm) for name, named in ALGORITHMS.items() for algorithm in named]
REDUCIBLE = reducible("mpi")
REDUCTIONS = ("sum", "prod", "min", "max")
ROOM = 1 << 18


def count_wrong(communicator: Any, case: Case, pool: BufferPool, hosts: Sequence[str] = ()) -> int:
    """Wrong elements over all ranks after one operation, and after a second on top of it."""
    rank, ranks = communicator.rank, communicator.size
    buffers = pool.buffers(case, rank, ranks)
    steps = open_transport("mpi", communicator, hosts).operation(case, buffers)
    checker = Checker(case=case, buffers=buffers, rank=rank, ranks=ranks, seed=7)
    checker.prepare()
    for _ in range(2 if case.placement == "out_of_place" else 1):
        run(steps, *np.zeros((2, 1), np.int64))
        checker.check()
    return int(communicator.allreduce(checker.verdict.wrong))


def groups(world: Any) -> Iterator[Any]:
    """Communicators of 1 rank, of 2, and so on; None where this rank is left out."""
    for ranks in range(1, world.size + 1):
        group = split_off(world, ranks, range(world.size))
        yield group
        if group is not None:
            group.Free()
        world.Barrier()


def sizes_of(collective: str, ranks: int, element_bytes: int) -> list[int]:
    """All-reduce: fewer elements than ranks, and no multiple; all-to-all: one and 77 per peer."""
    if collective == "all_to_all":
        return [element_bytes * ranks, 77 * element_bytes * ranks]
    return [element_bytes, 1009 * element_bytes]


@pytest.mark.parametrize(("collective", "algorithm"), NAMED)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_every_number_of_ranks_is_right(
    world: Any, collective: str, algorithm: str, placement: str
) -> None:
    pool = BufferPool(ROOM, "host")
    for group in groups(world):
        if group is None:
            continue
        for size in sizes_of(collective, group.size, 4):
            case = Case(
                collective=collective, message_bytes=size, algorithm=algorithm, placement=placement
            )
            assert count_wrong(group, case, pool) == 0, (group.size, size)


@pytest.mark.parametrize(("collective", "algorithm"), NAMED)
def test_every_dtype_and_operation_is_right(world: Any, collective: str, algorithm: str) -> None:
    """On all ranks, with messages beyond what MPI sends eagerly."""
    pool = BufferPool(ROOM, "host")
    reduces = collective == "all_reduce"
    for dtype in REDUCIBLE if reduces else sorted(BYTES_PER_ELEMENT):
        for operation in REDUCTIONS if reduces else ("sum",):
            element = BYTES_PER_ELEMENT[dtype]
            size = (ROOM - 8 * world.size) // (element * world.size) * element * world.size
            case = Case(
                collective=collective,
                message_bytes=size,
                algorithm=algorithm,
                dtype=dtype,
                operation=operation,
            )
            assert count_wrong(world, case, pool) == 0, (dtype, operation)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_two_level_is_right_on_any_nodes_and_sends_between_them_what_it_must(
    world: Any, placement: str
) -> None:
    """Bytes are counted from the arguments of the steps that MPI gets."""
    pool = BufferPool(ROOM, "host")
    case = Case(
        collective="all_reduce", message_bytes=4004, algorithm="two_level", placement=placement
    )
    halves = [f"n#{rank * 2 // world.size}" for rank in range(world.size)]
    in_turn = [f"n#{rank % 2}" for rank in range(world.size)]
    alone = [f"n#{rank}" for rank in range(world.size)]
    for hosts in (halves, in_turn, alone):
        assert count_wrong(world, case, pool, hosts) == 0
        buffers = pool.buffers(case, world.rank, world.size)
        steps = open_transport("mpi", world, hosts).operation(case, buffers)
        sent = world.allreduce(bytes_to_other_nodes(steps, world.rank, hosts))
        assert sent == 2 * (len(set(hosts)) - 1) * case.message_bytes


def bytes_to_other_nodes(steps: Any, rank: int, hosts: Sequence[str]) -> int:
    """MPI_Send and MPI_Sendrecv begin with buffer, count, type, rank; elements are of 4 bytes."""
    nodes = node_numbers(hosts)
    sends = {address_of(name) for name in ("MPI_Send", "MPI_Sendrecv", "MPI_Isend")}
    return sum(
        4 * step.arguments[1]
        for step in steps
        if step.function in sends and nodes[step.arguments[3]] != nodes[rank]
    )
