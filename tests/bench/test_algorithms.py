"""Algorithms by name, simulated: right results, no deadlock, and what their formulas say they cost.

The simulator runs all ranks' moves on NumPy arrays. A message moves when both sides have come to it
(nothing is buffered), so what finishes here cannot deadlock under any MPI.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from collcast.analysis.models import Costs, model_named, time_s
from collcast.bench.algorithms import ALGORITHMS, NATIVE, algorithms_of, schedule
from collcast.bench.algorithms.schedule import INPUT, RESULT, SCRATCH, Copy, Exchange, Range, Reduce
from collcast.bench.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from collcast.bench.algorithms.schedule import Move

ALL_REDUCES = tuple(ALGORITHMS["all_reduce"])
ALL_TO_ALLS = tuple(ALGORITHMS["all_to_all"])
MODEL_OF = {"binomial": "reduce_broadcast", "linear": "pairwise"}


@dataclass
class Message:
    source: int
    target: int
    elements: int


@dataclass
class Run:
    """All ranks' memory and clocks while their schedules run."""

    schedules: list[tuple[Move, ...]]
    memory: list[dict[str, np.ndarray]]
    alpha: float = 1.0
    beta: float = 0.0
    gamma: float = 0.0
    nodes: Sequence[int] = ()
    outer: tuple[float, float] = (0.0, 0.0)
    """a and b between nodes, where `nodes` is given."""

    clock: list[float] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def finish(self) -> Run:
        """Run to the end, or fail where nobody can go on."""
        ranks = len(self.schedules)
        self.clock = [0.0] * ranks
        at = [0] * ranks
        open_: list[tuple[dict[int, list], dict[int, list]] | None] = [None] * ranks
        done_at = [0.0] * ranks
        moved = True
        while moved:
            moved = False
            for rank in range(ranks):
                while at[rank] < len(self.schedules[rank]):
                    move = self.schedules[rank][at[rank]]
                    if isinstance(move, Exchange):
                        if open_[rank] is None:
                            open_[rank] = _posted(move)
                            done_at[rank] = self.clock[rank]
                        break
                    self._local(rank, move)
                    at[rank] += 1
                    moved = True
            for source, target in self._matches(open_):
                self._carry(source, target, open_, done_at)
                moved = True
            for rank in range(ranks):
                if open_[rank] is not None and not any(map(len, _pending(open_[rank]))):
                    self.clock[rank], open_[rank] = done_at[rank], None
                    at[rank] += 1
                    moved = True
        assert at == [len(moves) for moves in self.schedules], "deadlock"
        return self

    def _local(self, rank: int, move: Copy | Reduce) -> None:
        source, target = (self._part(rank, part) for part in (move.source, move.target))
        assert not np.shares_memory(source, target)
        if isinstance(move, Copy):
            target[...] = source
        else:
            target[...] = source + target
            self.clock[rank] += self.gamma * len(source)

    def _part(self, rank: int, part: Range) -> np.ndarray:
        region = self.memory[rank][part.region]
        assert 0 <= part.first <= part.first + part.count <= len(region)
        return region[part.first : part.first + part.count]

    def _matches(self, open_: list) -> Iterator[tuple[int, int]]:
        for source, posted in enumerate(open_):
            for target in tuple(posted[0]) if posted else ():
                if open_[target] and source in open_[target][1]:
                    yield source, target

    def _carry(self, source: int, target: int, open_: list, done_at: list[float]) -> None:
        sent, received = open_[source][0].pop(target), open_[target][1].pop(source)
        assert sent.count == received.count
        self._part(target, received)[...] = self._part(source, sent)
        self.messages.append(Message(source, target, sent.count))
        crosses = bool(self.nodes) and self.nodes[source] != self.nodes[target]
        a, b = self.outer if crosses else (self.alpha, self.beta)
        ended = max(self.clock[source], self.clock[target]) + a + b * sent.count
        done_at[source], done_at[target] = (max(done_at[r], ended) for r in (source, target))


def _posted(move: Exchange) -> tuple[dict[int, Range], dict[int, Range]]:
    sends, receives = dict(move.sends), dict(move.receives)
    assert len(sends) == len(move.sends), "two messages to one rank at once"
    assert len(receives) == len(move.receives)
    return sends, receives


def _pending(posted: tuple[dict, dict] | None) -> tuple[dict, dict]:
    assert posted is not None
    return posted


def run(
    collective: str,
    algorithm: str,
    ranks: int,
    elements: int,
    *,
    in_place: bool = False,
    nodes: Sequence[int] = (),
    **costs: float,
) -> Run:
    """Run on whole numbers that no other rank holds; poison elsewhere."""
    schedules = [
        schedule(
            collective, algorithm, rank=rank, ranks=ranks, elements=elements, in_place=in_place,
            nodes=nodes,
        )
        for rank in range(ranks)
    ]  # fmt: skip
    memory = []
    for rank in range(ranks):
        own = contribution(rank, elements)
        regions = {RESULT: own if in_place else np.full(elements, -1)}
        regions |= {} if in_place else {INPUT: own}
        memory.append(regions | {SCRATCH: np.full(elements, -1)})
    return Run(schedules, memory, nodes=nodes, **costs).finish()


def contribution(rank: int, elements: int) -> np.ndarray:
    return (1 << 40) * (rank + 1) + np.arange(elements) * (rank + 3)


def expected(collective: str, rank: int, ranks: int, elements: int) -> np.ndarray:
    contributions = np.array([contribution(r, elements) for r in range(ranks)])
    if collective == "all_reduce":
        return contributions.sum(axis=0)
    blocks = contributions.reshape(ranks, ranks, -1)
    return blocks[:, rank].reshape(-1)


def layouts(ranks: int) -> list[tuple[int, ...]]:
    """One node; halves; in turn; three uneven ones; one rank per node."""
    return [
        (),
        tuple(rank * 2 // ranks for rank in range(ranks)),
        tuple(rank % 2 for rank in range(ranks)),
        tuple(min(rank // 3, 2) for rank in range(ranks)),
        tuple(range(ranks)),
    ]


def check(done: Run, collective: str, ranks: int, elements: int, *, in_place: bool) -> None:
    for rank in range(ranks):
        found = done.memory[rank][RESULT]
        np.testing.assert_array_equal(found, expected(collective, rank, ranks, elements))
        if not in_place:
            np.testing.assert_array_equal(done.memory[rank][INPUT], contribution(rank, elements))


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("algorithm", ALL_REDUCES)
def test_all_reduce_is_right_on_every_number_of_ranks(algorithm: str, in_place: bool) -> None:
    """Sizes that do not divide, and fewer elements than ranks; inputs stay as they were."""
    for ranks in (*range(1, 18), 33):
        for elements in (1, 2, 5, 2 * ranks + 3):
            for nodes in layouts(ranks) if algorithm == "two_level" else [()]:
                done = run("all_reduce", algorithm, ranks, elements, in_place=in_place, nodes=nodes)
                check(done, "all_reduce", ranks, elements, in_place=in_place)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("algorithm", ALL_TO_ALLS)
def test_all_to_all_is_right_on_every_number_of_ranks(algorithm: str, in_place: bool) -> None:
    for ranks in (*range(1, 18), 33):
        for per_peer in (1, 3):
            done = run("all_to_all", algorithm, ranks, per_peer * ranks, in_place=in_place)
            check(done, "all_to_all", ranks, per_peer * ranks, in_place=in_place)


# Numbers of ranks for which every chunk of 720,720 elements is whole (multiples of a power of two
# where ranks fold), so that the closed forms hold to the element.
ELEMENTS = 720_720


@pytest.mark.parametrize("ranks", range(2, 14))
@pytest.mark.parametrize(
    ("collective", "algorithm"),
    [(c, a) for c, named in ALGORITHMS.items() for a in named if a != "linear"],
)
def test_the_time_is_the_formula_s(collective: str, algorithm: str, ranks: int) -> None:
    """With a per message, b per element sent and c per element reduced, in lockstep."""
    costs = {"alpha": 1000.0, "beta": 0.01, "gamma": 0.003}
    done = run(collective, algorithm, ranks, ELEMENTS, **costs)
    model = model_named(collective, MODEL_OF.get(algorithm, algorithm))
    assert max(done.clock) == pytest.approx(predicted(model, ranks, (), **costs), rel=1e-12)


def predicted(
    model: object,
    ranks: int,
    sizes: tuple[int, ...],
    alpha: float,
    beta: float,
    gamma: float,
    outer: tuple[float, float] | None = None,
) -> float:
    tiers = [(alpha, beta), *([outer] if outer else [])]
    costs = Costs(
        overhead_s=np.zeros(1),
        alpha_s=np.array([[a for a, _ in tiers]]),
        beta_s_per_byte=np.array([[b for _, b in tiers]]),
        taper=np.ones((1, len(tiers))),
        gamma_s_per_byte=np.array([gamma]),
    )
    demand = model.demand(ranks, sizes)  # type: ignore[attr-defined]
    return float(time_s(demand, np.array([float(ELEMENTS)]), costs)[0, 0])


@pytest.mark.parametrize("algorithm", ALL_TO_ALLS)
@pytest.mark.parametrize("ranks", [2, 3, 8, 13])
def test_all_to_all_sends_the_formula_s_messages_and_bytes(algorithm: str, ranks: int) -> None:
    """From every rank, `linear` too, which has no order in time."""
    done = run("all_to_all", algorithm, ranks, ELEMENTS)
    demand = model_named("all_to_all", MODEL_OF.get(algorithm, algorithm)).demand(ranks)
    for rank in range(ranks):
        sent = [message.elements for message in done.messages if message.source == rank]
        assert len(sent) == demand.steps.sum()
        assert sum(sent) == pytest.approx(demand.bytes_per_byte.sum() * ELEMENTS, rel=1e-12)


@pytest.mark.parametrize(("nodes", "per_node"), [(2, 2), (2, 4), (3, 2), (4, 3), (6, 5), (8, 2)])
def test_two_level_takes_the_formula_s_time_on_two_tiers(nodes: int, per_node: int) -> None:
    ranks = nodes * per_node
    outer = (5000.0, 0.04)
    costs = {"alpha": 1000.0, "beta": 0.01, "gamma": 0.003}
    layout = tuple(rank // per_node for rank in range(ranks))
    done = run("all_reduce", "two_level", ranks, ELEMENTS, nodes=layout, outer=outer, **costs)
    model = model_named("all_reduce", "two_level")
    wanted = predicted(model, ranks, (per_node, 1 << 62), outer=outer, **costs)
    assert max(done.clock) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("ranks", [2, 3, 4, 7, 9, 12])
def test_two_level_sends_between_nodes_what_it_must(ranks: int) -> None:
    """2 (N - 1) n in all, on any layout; a ring that is laid round-robin sends far more."""
    elements = 1001
    for layout in layouts(ranks)[1:]:
        count = len(set(layout))
        for algorithm, factor in (("two_level", 1), ("ring", None)):
            done = run("all_reduce", algorithm, ranks, elements, nodes=layout)
            crossing = sum(
                message.elements
                for message in done.messages
                if layout[message.source] != layout[message.target]
            )
            if factor is not None:
                assert crossing == 2 * (count - 1) * elements
            elif layout == layouts(ranks)[2] and ranks % 2 == 0:
                assert crossing == 2 * (ranks - 1) * elements


def test_out_of_place_rings_and_doublings_copy_nothing() -> None:
    """The input is sent from, and added from, where it lies."""
    for algorithm in ("ring", "recursive_doubling", "rabenseifner", "two_level"):
        for rank in range(8):
            moves = schedule("all_reduce", algorithm, rank=rank, ranks=8, elements=64)
            assert not [move for move in moves if isinstance(move, Copy)]


def test_names_are_those_of_the_collective() -> None:
    assert algorithms_of("all_reduce") == (NATIVE, *ALL_REDUCES)
    assert algorithms_of("all_reduce", "nccl") == (NATIVE,)
    assert algorithms_of("barrier") == (NATIVE,)
    for name in ("pairwise", NATIVE, "magic"):
        with pytest.raises(CaseError, match=f"algorithm: found '{name}' for all_reduce, expected"):
            schedule("all_reduce", name, rank=0, ranks=2, elements=8)
    with pytest.raises(CaseError, match="native only"):
        schedule("barrier", "ring", rank=0, ranks=2, elements=8)
