"""Streams, trees and switches against what every rank sends, piece by piece and phase by phase.

Like `test_counts`, nothing here uses a formula of the models.
"""

from __future__ import annotations

import heapq
from math import ceil

import numpy as np
import pytest

from collcast.analysis.design import design_of
from collcast.analysis.models import MODELS, Costs, time_s

BY_NAME = {model.name: model for model in MODELS}


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
def test_two_trees_take_as_long_as_piece_by_piece(costs, ranks, pieces, alpha):
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


def test_incast_is_affine(costs):
    """Below a limit per peer every byte is paid twice; above, a constant for every peer."""
    demand = BY_NAME["direct"].demand(16)
    limit = 16 * 128 * 1024.0
    n = np.array([limit / 4, limit / 2, 2 * limit, 4 * limit])
    times = time_s(demand, n, costs([0.0], [1.0]))[0] / n
    plain = 15 / 16
    assert times[:2] == pytest.approx(2 * plain)
    assert (times[2:] - plain) * n[2:] == pytest.approx(15 * 128 * 1024)


@pytest.mark.parametrize("name", ["direct", "double_tree", "chain_tree", "pat_gather"])
def test_a_fit_s_columns_are_the_model_and_its_gradient(costs, name):
    """Times are linear in the costs, so columns are derivatives: compared with differences."""
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


@pytest.mark.parametrize(("ranks", "pieces"), [(2, 1), (7, 1), (7, 12), (64, 3)])
def test_a_chain_passes_pieces_on_one_by_one(ranks, pieces):
    alpha, beta, size = 3e-6, 1e-10, 512 * 1024.0
    had = np.zeros(pieces)
    for _ in range(ranks - 1):
        free, got = 0.0, []
        for there in had:
            free = max(free, there) + beta * size
            got.append(free + alpha)
        had = np.array(got)
    costs = Costs(
        overhead_s=np.zeros(1), alpha_s=np.full((1, 1), alpha),
        beta_s_per_byte=np.full((1, 1), beta), taper=np.ones((1, 1)), gamma_s_per_byte=np.zeros(1),
    )  # fmt: skip
    found = time_s(BY_NAME["chain"].demand(ranks), np.array([pieces * size]), costs)[0, 0]
    assert found == pytest.approx(had[-1])
