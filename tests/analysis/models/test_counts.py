"""Counts of the models against all messages of all ranks, listed one by one and run on clocks.

Nothing here uses a formula: every algorithm is written down as rounds of (source, target, part of
the message), ranks are put on slots of a fabric, and each message goes through the innermost domain
that holds both slots.
"""

from __future__ import annotations

import heapq
from math import ceil

import numpy as np
import pytest

from collcast.analysis.models import MODELS, Costs, time_s

BY_NAME = {model.name: model for model in MODELS}
SIZES = (4, 16, 64)
ALPHA = np.array([1.0, 3.0, 7.0])
BETA = np.array([1.0, 4.0, 9.0])
LAYOUTS = ("contiguous", "random")


def costs(alpha, beta, taper=None):
    """One draw of costs without overhead and reduction."""
    return Costs(
        overhead_s=np.zeros(1),
        alpha_s=np.array([alpha], dtype=float),
        beta_s_per_byte=np.array([beta], dtype=float),
        taper=np.ones((1, len(alpha))) if taper is None else np.array([taper], dtype=float),
        gamma_s_per_byte=np.zeros(1),
    )


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


def modelled(name, ranks, alpha, beta, layout="contiguous", sizes=SIZES):
    demand = BY_NAME[name].demand(ranks, sizes, layout)
    return float(time_s(demand, np.array([1.0]), costs(alpha, beta))[0, 0])


@pytest.mark.parametrize("ranks", [2, 4, 16, 32, 64])
@pytest.mark.parametrize("name", ["recursive_doubling", "rabenseifner"])
def test_exchanges_on_powers_of_two_are_exact(name, ranks):
    run = clock(EXACT[name](ranks), ranks, slots(ranks, "contiguous", 0), SIZES, ALPHA, BETA)
    assert modelled(name, ranks, ALPHA, BETA) == pytest.approx(run, rel=1e-12)


@pytest.mark.parametrize("ranks", [3, 5, 6, 7, 11, 12, 24, 31, 48, 63])
@pytest.mark.parametrize("name", ["recursive_doubling", "rabenseifner"])
def test_exchanges_on_other_numbers_are_exact_on_one_tier(name, ranks):
    """Bytes are; of the latencies one is hidden where the last partner had nothing to fold."""
    one = (1 << 20,)
    rounds = EXACT[name](ranks)
    run = clock(rounds, ranks, np.arange(ranks), one, [0.0], [5.0])
    assert modelled(name, ranks, [0.0], [5.0], sizes=one) == pytest.approx(run, rel=1e-12)
    run = clock(rounds, ranks, np.arange(ranks), one, [2.0], [0.0])
    assert run <= modelled(name, ranks, [2.0], [0.0], sizes=one) <= run + 2.0


@pytest.mark.parametrize("ranks", [6, 12, 24, 48, 60])
@pytest.mark.parametrize("name", ["recursive_doubling", "rabenseifner"])
def test_exchanges_on_other_numbers_wait_for_the_slowest_pair(name, ranks):
    run = clock(EXACT[name](ranks), ranks, np.arange(ranks), SIZES, ALPHA, BETA)
    assert run <= modelled(name, ranks, ALPHA, BETA) * (1 + 1e-12) <= 1.35 * run


@pytest.mark.parametrize("ranks", [2, 4, 8, 16, 48, 64])
def test_a_contiguous_ring_s_bytes_are_exact_and_its_latency_nearly(ranks):
    none = np.zeros(3)
    rounds, slot = ring(ranks), np.arange(ranks)
    run = clock(rounds, ranks, slot, SIZES, none, BETA)
    assert modelled("ring", ranks, none, BETA) == pytest.approx(run, rel=1e-12)


@pytest.mark.parametrize("ranks", [8, 24, 64])
def test_a_ring_s_chunks_pass_every_edge_twice(ranks):
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
def test_shifts_are_near(name, ranks):
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
def test_the_last_rank_of_a_domain_sends_all_its_bytes_out_of_it(name, ranks):
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
def test_ranks_anywhere_pay_the_outermost_tier_in_every_round(name, ranks):
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
def test_ranks_anywhere_are_never_faster(model, ranks):
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


def test_the_rings_over_all_links_leave_a_domain_once_each():
    """G rings, started G ways: every link carries a G-th of the vector, every rank the whole."""
    group, ranks = 4, 64
    bytes_out, sends = np.zeros(ranks), np.zeros(ranks)
    for first in range(group):
        order = [
            base + (first + i) % group for base in range(0, ranks, group) for i in range(group)
        ]
        for a, b in zip(order, order[1:] + order[:1], strict=True):
            part = 2 * (ranks - 1) / ranks / group
            sends[a] += part
            bytes_out[a] += part * (a // group != b // group)
    demand = BY_NAME["rail_ring"].demand(ranks, (group, ranks))
    assert (bytes_out == bytes_out[0]).all()
    assert demand.bytes_per_byte[1] == pytest.approx(bytes_out[0])
    assert demand.bytes_per_byte[0] == pytest.approx(sends[0])
    assert demand.share[1] == 1.0


@pytest.mark.parametrize("name", ["aggregated", "rail_aligned"])
def test_two_phases_deliver_everything_with_so_many_messages_and_bytes(name):
    group, domains = 4, 6
    ranks = group * domains
    holds = {r: {(r, target) for target in range(ranks)} for r in range(ranks)}
    sent, messages = np.zeros((ranks, 2)), np.zeros((ranks, 2))

    def pass_on(tier, peers, wanted):
        new = {r: set() for r in range(ranks)}
        for rank in range(ranks):
            for peer in peers(rank):
                blocks = {block for block in holds[rank] if wanted(block, peer)}
                new[peer] |= blocks
                if peer != rank:
                    sent[rank, tier] += len(blocks) / ranks
                    messages[rank, tier] += 1
        return new

    inside = lambda r: range(r // group * group, r // group * group + group)  # noqa: E731
    across = lambda r: range(r % group, ranks, group)  # noqa: E731
    holds = pass_on(0, inside, lambda block, peer: block[1] % group == peer % group)
    holds = pass_on(1, across, lambda block, peer: block[1] // group == peer // group)
    assert all(holds[r] == {(source, r) for source in range(ranks)} for r in range(ranks))
    demand = BY_NAME[name].demand(ranks, (group, ranks))
    assert demand.steps == pytest.approx(messages[0])
    assert demand.bytes_per_byte == pytest.approx(sent[0])
    assert demand.pipelined == (name == "rail_aligned")


def parents(ranks):
    """Two trees, in order, the second mirrored or shifted: who is whose parent in each."""

    def parent(place):
        bit = place & -place
        if not bit:
            return None
        up = (place ^ bit) | (bit << 1)
        return up if up < ranks else place ^ bit

    first = [parent(r) for r in range(ranks)]
    turn = (lambda r: ranks - 1 - r) if ranks % 2 == 0 else (lambda r: (r + 1) % ranks)
    second = [None] * ranks
    for place in range(ranks):
        above = parent(place)
        second[turn(place)] = None if above is None else turn(above)
    return first, second


def run_trees(ranks, pieces, alpha, beta_piece):
    """All-reduce over both trees, piece by piece; one port out per rank. Time and sends."""
    trees = parents(ranks)
    children = [[[c for c in range(ranks) if up[c] == r] for r in range(ranks)] for up in trees]
    waiting = {
        (t, i, r): len(children[t][r]) for t in range(2) for i in range(pieces)
        for r in range(ranks)
    }  # fmt: skip
    complete, out, sends = {}, np.zeros(ranks), np.zeros(ranks)
    events, done, number = [], 0.0, 0

    def ready(time, tree, piece, rank, phase):
        nonlocal number
        number += 1
        heapq.heappush(events, (time, piece, number, tree, rank, phase))

    for (tree, piece, rank), children_left in waiting.items():
        if children_left == 0:
            ready(0.0, tree, piece, rank, "up")
    while events:
        time, piece, _, tree, rank, phase = heapq.heappop(events)
        above = trees[tree][rank]
        going_up = phase == "up" and above is not None
        for target in [above] if going_up else children[tree][rank]:
            out[rank] = max(time, out[rank]) + beta_piece
            arrives = out[rank] + alpha
            sends[rank] += 1
            done = max(done, arrives)
            if not going_up:
                ready(arrives, tree, piece, target, "down")
                continue
            waiting[tree, piece, target] -= 1
            complete[tree, piece, target] = max(arrives, complete.get((tree, piece, target), 0.0))
            if waiting[tree, piece, target] == 0:
                ready(complete[tree, piece, target], tree, piece, target, "up")
    return done, sends


@pytest.mark.parametrize("ranks", [2, 3, 4, 6, 16, 33, 64])
def test_two_trees_send_the_vector_twice(ranks):
    _, sends = run_trees(ranks, 10, 0.0, 1.0)
    most = BY_NAME["double_tree"].demand(ranks).bytes_per_byte[0]
    assert sends.max() / 20 == pytest.approx(most)


@pytest.mark.parametrize("ranks", [8, 16, 32, 64])
@pytest.mark.parametrize("pieces", [1, 8, 64])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_two_trees_take_as_long_as_piece_by_piece(ranks, pieces, alpha):
    piece = 512 * 1024.0
    beta = 1 / piece
    run, _ = run_trees(ranks, pieces, alpha, 1.0)
    demand = BY_NAME["double_tree"].demand(ranks)
    n = np.array([2.0 * pieces * piece])
    found = time_s(demand, n, costs([alpha], [beta]))[0, 0]
    assert found == pytest.approx(run, rel=0.35)


def test_a_chain_and_two_trees_by_every_link():
    """G chains, each headed by another rank; the heads of one chain number are two trees."""
    group, domains = 4, 16
    ranks = group * domains
    sent = np.zeros((ranks, 2))
    trees = parents(domains)
    for chain in range(group):
        part = 1 / group
        for domain in range(domains):
            order = [domain * group + (chain + i) % group for i in range(group)]
            for place, rank in enumerate(order):
                sent[rank, 0] += part * ((place > 0) + (place < group - 1))  # up, and back down
            head = order[0]
            for up in trees:
                sent[head, 1] += part / 2 * (up[domain] is not None)
                sent[head, 1] += part / 2 * sum(above == domain for above in up)
    demand = BY_NAME["chain_tree"].demand(ranks, (group, ranks))
    assert demand.bytes_per_byte == pytest.approx(sent.max(axis=0))
    assert demand.steps.tolist() == [2 * (group - 1), 2 * 4]


def test_a_switch_reads_n_and_writes_its_share_both_ways():
    """NVLS, per rank: n up to be added, 1/G down; then 1/G up, n down; its multicast gets 0.74."""
    up = dict.fromkeys(range(8), 1.0)
    down = dict.fromkeys(range(8), 1 / 8)
    sent = max(up[r] + down[r] for r in range(8))
    demand = BY_NAME["nvls"].demand(8)
    assert demand.bytes_per_byte[0] * 0.74 == pytest.approx(sent)
    tree = BY_NAME["nvls_tree"].demand(64, (8, 64))
    assert tree.bytes_per_byte == pytest.approx([sent / 0.74, 2 / 8])
    assert tree.steps.tolist() == [2, 6]


@pytest.mark.parametrize(("ranks", "levels"), [(8, 1), (32 * 8, 1), (33 * 8, 2), (1024 * 8, 2)])
def test_switches_that_reduce_send_a_share_up_once(ranks, levels):
    """Leaves of 32 domains each, as many of those below the next: levels counted by merging."""
    groups, counted = ceil(ranks / 8), 0
    while True:
        groups, counted = ceil(groups / 32), counted + 1
        if groups == 1:
            break
    assert counted == levels
    demand = BY_NAME["sharp"].demand(ranks, (8, 1 << 30))
    outer = int(ranks > 8)
    assert demand.steps[outer] == 2 * levels
    assert demand.bytes_per_byte[outer] == (1 / 8 if outer else 1.0)


@pytest.mark.parametrize(
    ("ranks", "part", "counted"),
    [
        # Messages per rank of NCCL's own generator, run on a CPU.
        (64, 64, 55), (64, 4096, 55), (1024, 64, 59), (1024, 4096, 63), (1024, 65536, 147),
        (1024, 524288, 1023), (4096, 64, 61), (4096, 65536, 531), (4096, 524288, 4095),
    ],
)  # fmt: skip
def test_parallel_aggregated_trees_need_as_many_messages_as_nccl_s(ranks, part, counted):
    demand = BY_NAME["pat_gather"].demand(ranks, (1, 1 << 20))
    (steps,) = demand.steps_at(np.array([float(part * ranks)]))
    assert steps[1] == pytest.approx(counted, rel=0.3)
    assert steps[0] == 1.5 * ranks


def test_incast_is_affine():
    """Below a limit per peer every byte is paid twice; above, a constant for every peer."""
    demand = BY_NAME["direct"].demand(16)
    limit = 16 * 128 * 1024.0
    n = np.array([limit / 4, limit / 2, 2 * limit, 4 * limit])
    times = time_s(demand, n, costs([0.0], [1.0]))[0] / n
    plain = 15 / 16
    assert times[:2] == pytest.approx(2 * plain)
    assert (times[2:] - plain) * n[2:] == pytest.approx(15 * 128 * 1024)


@pytest.mark.parametrize("name", ["direct", "double_tree", "chain_tree", "pat_gather"])
def test_a_fit_s_columns_are_the_model_and_its_gradient(name):
    """Times are linear in the costs, so columns are derivatives: compared with differences."""
    from collcast.analysis.design import design_of

    model, n = BY_NAME[name], np.array([1e3, 1e6, 1e9])
    alpha, beta = [1e-6, 5e-6], [1e-11, 5e-10]  # the outer tier is the slower
    sizes = (8, 1 << 30)
    values = np.array([0.0, *alpha, *beta, 0.0])
    columns = design_of([model], np.full(3, 64), n, sizes)[0]
    demand = model.demand(64, sizes)
    found = time_s(demand, n, costs(alpha, beta))[0]
    assert columns @ values == pytest.approx(found, rel=1e-9)
    for tier in range(2):
        step = np.array(alpha)
        step[tier] *= 1.5
        change = time_s(demand, n, costs(step, beta))[0] - found
        assert columns[:, 1 + tier] * 0.5 * alpha[tier] == pytest.approx(change, rel=1e-6)
