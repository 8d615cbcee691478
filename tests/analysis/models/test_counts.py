"""Counts of the models against all messages of all ranks, listed one by one and run on clocks.

Nothing here uses a formula: every algorithm is written down as rounds of (source, target, part of
the message), ranks are put on slots of a fabric, and each message goes through the innermost domain
that holds both slots.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest

from collcast.analysis.models import MODELS, time_s

BY_NAME = {model.name: model for model in MODELS}
SIZES = (4, 16, 64)
ALPHA = np.array([1.0, 3.0, 7.0])
BETA = np.array([1.0, 4.0, 9.0])
LAYOUTS = ("contiguous", "random")


def tier_of(a, b, sizes):
    return next(t for t, size in enumerate(sizes) if a // size == b // size)


def slots(ranks, layout, seed):
    """Where rank r lies."""
    rank = np.arange(ranks)
    return rank if layout == "contiguous" else np.random.default_rng(seed).permutation(rank)


def clock(rounds, ranks, slot, sizes, alpha, beta):
    """When the last rank is done: a message arrives alpha after it left; a rank goes on when what
    it sends in a round has left and what it gets is there, on one port out and one in.
    """
    now = np.zeros(ranks)
    for messages in rounds:
        after, out, into = now.copy(), now.copy(), now.copy()
        for source, target, part in messages:
            tier = tier_of(slot[source], slot[target], sizes)
            out[source] += part * beta[tier]
            into[target] = max(into[target], out[source] + alpha[tier])
            after[source] = max(after[source], out[source])
            after[target] = max(after[target], into[target])
        now = after
    return now.max()


def shifts(ranks, distances, part):
    return [[(r, (r + d) % ranks, part(d)) for r in range(ranks)] for d in distances]


def ring(ranks):
    return shifts(ranks, [1] * (2 * (ranks - 1)), lambda _: 1 / ranks)


def pairwise(ranks):
    return shifts(ranks, range(1, ranks), lambda _: 1 / ranks)


def bruck(ranks):
    distances = [1 << k for k in range((ranks - 1).bit_length())]
    return shifts(ranks, distances, lambda d: sum(1 for b in range(ranks) if b & d) / ranks)


def doubling(ranks):
    distances = [1 << k for k in range((ranks - 1).bit_length())]
    return shifts(ranks, distances, lambda d: min(d, ranks - d) / ranks)


def folded(ranks, rounds_of):
    """Neighbours fold in front, so that a power of two remain; rounds on those; and back."""
    most = 1 << (ranks.bit_length() - 1)
    over = ranks - most
    real = [2 * i + 1 if i < over else i + over for i in range(most)]
    there = [(2 * i, 2 * i + 1, 1.0) for i in range(over)]
    inner = [[(real[a], real[b], part) for a, b, part in messages] for messages in rounds_of(most)]
    back = [(b, a, part) for a, b, part in there]
    return [there, *inner, back] if over else inner


def exchanges(ranks, parts):
    return [
        [(r, r ^ (1 << k), part) for r in range(ranks)] for k, part in parts(ranks.bit_length() - 1)
    ]


def recursive_doubling(ranks):
    return folded(
        ranks, lambda most: exchanges(most, lambda rounds: [(k, 1.0) for k in range(rounds)])
    )


def rabenseifner(ranks):
    def parts(rounds):
        halving = [(k, 0.5 ** (k + 1)) for k in range(rounds)]
        return halving + halving[::-1]

    return folded(ranks, lambda most: exchanges(most, parts))


def binomial(ranks):
    """Broadcast from rank 0: who has it sends to the rank 2^k further on."""
    return [
        [(r, r + (1 << k), 1.0) for r in range(1 << k) if r + (1 << k) < ranks]
        for k in range((ranks - 1).bit_length())
    ]


def reduce_broadcast(ranks):
    down = binomial(ranks)
    return [[(b, a, part) for a, b, part in messages] for messages in down[::-1]] + down


EXACT = {
    "ring": ring,
    "pairwise": pairwise,
    "recursive_doubling": recursive_doubling,
    "rabenseifner": rabenseifner,
}


@pytest.fixture(scope="module")
def modelled(costs):
    """A model's time of one byte."""

    def run(name, ranks, alpha, beta, layout="contiguous", sizes=SIZES):
        demand = BY_NAME[name].demand(ranks, sizes, layout)
        return float(time_s(demand, np.array([1.0]), costs(alpha, beta))[0, 0])

    return run


@pytest.mark.parametrize("ranks", [2, 4, 16, 32, 64])
@pytest.mark.parametrize("name", ["recursive_doubling", "rabenseifner"])
def test_exchanges_on_powers_of_two_are_exact(modelled, name, ranks):
    run = clock(EXACT[name](ranks), ranks, slots(ranks, "contiguous", 0), SIZES, ALPHA, BETA)
    assert modelled(name, ranks, ALPHA, BETA) == pytest.approx(run, rel=1e-12)


@pytest.mark.parametrize("ranks", [3, 5, 6, 7, 11, 12, 24, 31, 48, 63])
@pytest.mark.parametrize("name", ["recursive_doubling", "rabenseifner"])
def test_exchanges_on_other_numbers_are_exact_on_one_tier(modelled, name, ranks):
    """Bytes are; of the latencies one is hidden where the last partner had nothing to fold."""
    one = (1 << 20,)
    rounds = EXACT[name](ranks)
    run = clock(rounds, ranks, np.arange(ranks), one, [0.0], [5.0])
    assert modelled(name, ranks, [0.0], [5.0], sizes=one) == pytest.approx(run, rel=1e-12)
    run = clock(rounds, ranks, np.arange(ranks), one, [2.0], [0.0])
    assert run <= modelled(name, ranks, [2.0], [0.0], sizes=one) <= run + 2.0


@pytest.mark.parametrize("ranks", [6, 12, 24, 48, 60])
@pytest.mark.parametrize("name", ["recursive_doubling", "rabenseifner"])
def test_exchanges_on_other_numbers_wait_for_the_slowest_pair(modelled, name, ranks):
    run = clock(EXACT[name](ranks), ranks, np.arange(ranks), SIZES, ALPHA, BETA)
    assert run <= modelled(name, ranks, ALPHA, BETA) * (1 + 1e-12) <= 1.35 * run


@pytest.mark.parametrize("ranks", [2, 4, 8, 16, 48, 64])
def test_a_contiguous_ring_s_bytes_are_exact_and_its_latency_nearly(modelled, ranks):
    none = np.zeros(3)
    rounds, slot = ring(ranks), np.arange(ranks)
    run = clock(rounds, ranks, slot, SIZES, none, BETA)
    assert modelled("ring", ranks, none, BETA) == pytest.approx(run, rel=1e-12)


@pytest.mark.parametrize("ranks", [8, 24, 64])
def test_a_ring_s_chunks_pass_every_edge_twice(modelled, ranks):
    """A chunk's own way: one message after the other, P - 1 edges there and P - 1 on."""
    slot = np.arange(ranks)
    ways = []
    for first in range(ranks):
        edges = [(first + i) % ranks for i in range(ranks - 1)]
        ways.append(2 * sum(ALPHA[tier_of(slot[e], slot[(e + 1) % ranks], SIZES)] for e in edges))
    assert modelled("ring", ranks, ALPHA, np.zeros(3)) == pytest.approx(max(ways))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ranks", [4, 8, 32, 64])
@pytest.mark.parametrize("name", ["pairwise", "direct"])
def test_partners_of_an_all_to_all_by_tier(name, ranks, layout):
    slot = slots(ranks, layout, ranks)
    counted = np.zeros((ranks, 3))
    for rank in range(ranks):
        for other in set(range(ranks)) - {rank}:
            counted[rank, tier_of(slot[rank], slot[other], SIZES)] += 1
    demand = BY_NAME[name].demand(ranks, SIZES, layout)
    assert (counted == counted[0]).all()  # every rank alike, where domains are full
    at_once = {"pairwise": 1, "direct": 8}[name]
    assert demand.steps * at_once == pytest.approx(counted[0])
    passing = np.cumsum(counted[0][::-1])[::-1]  # through a tier's links, at the same time
    assert demand.bytes_per_byte * ranks == pytest.approx(
        passing if demand.pipelined else counted[0]
    )
    for tier, size in enumerate(SIZES[:-1]):  # (P - P_t) / P leaves a domain
        assert passing[tier + 1] / ranks == pytest.approx(max(0, ranks - size) / ranks)


def test_ranks_that_fill_no_last_domain_are_spread_evenly():
    """128 on racks of 72 are 64 and 64: half of the bytes cross; 65 are not 64 against one."""
    demand = BY_NAME["pairwise"].demand(128, (72, 1 << 20))
    assert demand.bytes_per_byte.tolist() == [63 / 128, 64 / 128]
    demand = BY_NAME["pairwise"].demand(65, (64, 1 << 20))
    assert demand.bytes_per_byte[1] == pytest.approx(1 / 2)


@pytest.mark.parametrize("name", ["bruck", "doubling", "reduce_broadcast", "binomial"])
@pytest.mark.parametrize("ranks", [4, 16, 64])
def test_shifts_are_near(modelled, name, ranks):
    """Most messages of a round stay inside; the few that cross early wait for nobody twice."""
    makers = {
        "bruck": bruck, "doubling": doubling, "binomial": binomial,
        "reduce_broadcast": reduce_broadcast,
    }  # fmt: skip
    rounds, slot = makers[name](ranks), np.arange(ranks)
    run = clock(rounds, ranks, slot, SIZES, ALPHA, np.zeros(3))
    assert modelled(name, ranks, ALPHA, np.zeros(3)) == pytest.approx(run, rel=0.4)
    if name in {"reduce_broadcast", "binomial"}:  # nothing wraps around: exact
        run = clock(rounds, ranks, slot, SIZES, ALPHA, BETA)
        assert modelled(name, ranks, ALPHA, BETA) == pytest.approx(run, rel=1e-12)


@pytest.mark.parametrize("name", ["bruck", "doubling"])
@pytest.mark.parametrize("ranks", [4, 8, 16, 48, 64])
def test_the_last_rank_of_a_domain_sends_all_its_bytes_out_of_it(modelled, name, ranks):
    rounds, none = {"bruck": bruck, "doubling": doubling}[name](ranks), np.zeros(3)
    run = clock(rounds, ranks, np.arange(ranks), SIZES, none, BETA)
    assert modelled(name, ranks, none, BETA) == pytest.approx(run, rel=1e-12)
    demand = BY_NAME[name].demand(ranks, SIZES)
    for tier, size in enumerate((1, *SIZES[:-1])):
        if size < ranks:
            out = [
                part * (source // size != target // size)
                for messages in rounds for source, target, part in messages
                if source < size and target - source > 0  # of one domain, but not around the end
            ]  # fmt: skip
            counted = sum(out) / sum(part for messages in rounds for _, _, part in messages)
            assert demand.share[tier] == pytest.approx(counted * ranks / size, rel=0.3)


@pytest.mark.parametrize("name", ["bruck", "doubling", "recursive_doubling", "rabenseifner"])
@pytest.mark.parametrize("ranks", [16, 64])
def test_ranks_anywhere_pay_the_outermost_tier_in_every_round(modelled, name, ranks):
    makers = EXACT | {"bruck": bruck, "doubling": doubling}
    runs = [
        clock(makers[name](ranks), ranks, slots(ranks, "random", seed), SIZES, ALPHA, BETA)
        for seed in range(5)
    ]
    found = modelled(name, ranks, ALPHA, BETA, "random")
    assert max(runs) <= found * (1 + 1e-12)
    assert found <= 1.15 * np.median(runs)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.collective}-{model.name}")
@pytest.mark.parametrize("ranks", [2, 7, 16, 48, 60, 64])
def test_ranks_anywhere_are_never_faster(costs, model, ranks):
    """Where every further tier costs more, tapers included."""
    sizes, n = (4, 16, 64), np.array([8.0, 2.0**20, 2.0**30])
    where = costs([1e-6, 3e-6, 7e-6], [1e-11, 4e-11, 9e-11], [1.0, 2.0, 4.0])
    near, far = (time_s(model.demand(ranks, sizes, layout), n, where)[0] for layout in LAYOUTS)
    assert (near > 0).all()
    assert (far >= near * (1 - 1e-9)).all()


def uplink_share(rounds, slot, ranks, sizes, tier):
    """Messages that leave a domain into a tier in the same round, over its ranks; mean and most."""
    inner = (1, *sizes[:-1])[tier]
    found = []
    for messages in rounds:
        out = np.zeros(ceil(ranks / inner))
        for source, target, _ in messages:
            if slot[source] // inner != slot[target] // inner:
                out[slot[source] // inner] += 1
        found.append(out / inner)
    return np.mean(found), np.max(found)


@pytest.mark.parametrize("tier", [1, 2])
def test_a_contiguous_ring_leaves_a_domain_once_and_a_random_one_pays_in_full(tier):
    demand = BY_NAME["ring"].demand(64, SIZES)
    near = uplink_share(ring(64)[:1], np.arange(64), 64, SIZES, tier)
    assert near == (demand.share[tier], demand.share[tier])
    far = [
        uplink_share(ring(64)[:1], slots(64, "random", seed), 64, SIZES, tier)[0]
        for seed in range(200)
    ]
    assert BY_NAME["ring"].demand(64, SIZES, "random").share[tier] == pytest.approx(
        np.mean(far), rel=0.02
    )
