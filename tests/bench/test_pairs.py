"""A tournament: every two ranks meet once, nobody twice in a round."""

from __future__ import annotations

from itertools import combinations

import pytest

from collcast.bench.case import Case
from collcast.bench.errors import CaseError
from collcast.bench.pairs import rounds_of
from collcast.bench.sweep import sweep


def pairs_of(ranks: int) -> tuple[Case, ...]:
    return sweep(("pairs",), "8", ranks)


@pytest.mark.parametrize("ranks", range(1, 14))
def test_rounds_are_disjoint_and_few(ranks: int) -> None:
    cases = pairs_of(ranks)
    assert {(case.root, case.peer) for case in cases} == set(combinations(range(ranks), 2))
    rounds = rounds_of(cases, ranks, together=True)
    assert sorted(map(str, (case for members in rounds for case in members))) == sorted(
        map(str, cases)
    )
    for members in rounds:
        taken = [rank for case in members for rank in (case.root, case.peer)]
        assert len(set(taken)) == len(taken) >= ranks // 2 * 2
    assert len(rounds) == (ranks - 1 + ranks % 2 if ranks > 1 else 0)


def test_sizes_and_collectives_do_not_share_a_round() -> None:
    cases = sweep(("pairs", "all_reduce"), "8,64", 4)
    rounds = rounds_of(cases, 4, together=True)
    assert len(rounds) == 2 * 3 + 2
    assert all(len({(c.collective, c.message_bytes) for c in members}) == 1 for members in rounds)
    assert rounds_of(cases, 4, together=False) == [(case,) for case in cases]


def test_two_ranks_are_the_first_and_the_last_unless_named() -> None:
    (case,) = sweep(("ping_pong",), "8", 5)
    assert (case.root, case.peer) == (0, 4)
    (case,) = sweep(("bidirectional",), "8", 5, (3, 1))
    assert (case.root, case.peer) == (3, 1)
    assert sweep(("ping_pong", "pairs"), "8", 1) == ()
    with pytest.raises(CaseError, match="peer: found 4 on 4 ranks, expected less"):
        sweep(("ping_pong",), "8", 4, (0, 4))
    with pytest.raises(CaseError, match="peer: found 2 in ping_pong"):
        sweep(("ping_pong",), "8", 4, (2, 2))
