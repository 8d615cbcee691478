"""Routing classes: what hashing loses on a tier, and an efficiency that was measured at scales."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from collcast.analysis.conditional import Conditional
from collcast.analysis.efficiency import efficiency, simulate_loads
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fabrics.check import check_fabric
from collcast.analysis.fabrics.load import load_fabric as load_path
from collcast.analysis.fabrics.routing import eta, uplinks
from collcast.analysis.fabrics.write import to_toml
from collcast.analysis.workload.group import exchange_s, reduce_s
from collcast.bench.errors import FabricError

LLAMA = load_fabric("llama3-24k")
NODE = 4  # GPUs of an Alps node, each with a NIC of 200 Gbit/s
NIC_BYTES_PER_S = 25e9


def routed(fabric, value, place=-1, **fields):
    tiers = list(fabric.tiers)
    routing = msgspec.structs.replace(tiers[place].routing, value=value, **fields)
    tiers[place] = msgspec.structs.replace(tiers[place], routing=routing)
    return msgspec.structs.replace(fabric, tiers=tuple(tiers))


def test_links_and_losses_of_llama_3_by_simulation():
    assert [uplinks(LLAMA, tier) for tier in range(4)] == [0, 0, 16, 439]
    loads = simulate_loads(16, 1024, 16, draws=9, seed=2)
    assert eta(LLAMA, 2, 1.0, 16_384) == pytest.approx(16 / np.median(loads), rel=0.03)
    assert eta(LLAMA, 1, 1.0, 16_384) == 1.0  # a GPU's own NIC: nothing to hash over
    falling = [eta(LLAMA, 2, 1.0, ranks) for ranks in (16, 256, 4096, 24_576)]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > 1.3 * falling[-1]


def test_pinned_and_sprayed_flows_lose_nothing():
    for value in ("pinned", "spray"):
        assert eta(routed(LLAMA, value, place=2), 2, 1.0, 16_384) == 1.0


def test_extrapolation_and_the_step_pay_for_hashing():
    sprayed = routed(routed(LLAMA, "spray", place=2), "spray", place=3)

    def times(fabric):
        one = Conditional(collective="all_to_all", fabric=fabric, draws=10, algorithm="pairwise")
        costs = one._all["all_to_all"]
        return (
            one.at(3072, [1 << 34])[0].given_s[0],
            exchange_s(fabric, 3072, 1, 2.0**34, costs)[0],
        )

    for hashed, free in zip(times(LLAMA), times(sprayed), strict=True):
        assert hashed == pytest.approx(free / eta(LLAMA, 2, 1.0, 3072), rel=0.03)
    costs = Conditional(collective="all_reduce", fabric=LLAMA, draws=1)._all["exchange"]
    slow, free = (reduce_s(fabric, 3072, 1, 2.0**34, costs)[0] for fabric in (LLAMA, sprayed))
    assert slow > 1.2 * free


def test_a_contiguous_ring_loses_nothing_to_hashing():
    """It sends one GPU's flows over a rack's links: none is ever full."""
    sprayed = routed(LLAMA, "spray", place=2)
    ring = [
        Conditional(collective="all_reduce", fabric=fabric, draws=10, algorithm="ring")
        for fabric in (LLAMA, sprayed)
    ]
    hashed, free = (one.at(3072, [1 << 34])[0].given_s for one in ring)
    assert hashed == pytest.approx(free)


def alps(points=((256, 0.644, 0.644), (2048, 0.31, 0.31))):
    """Nodes of 4 under one network of which all-to-all's efficiency was measured twice."""
    base = load_fabric("deepseek-mpft")

    def exactly(figure, value):
        return msgspec.structs.replace(
            figure, value=value, low=None, high=None, formula=None, status="assumed"
        )

    node, outer = base.tiers[0], base.tiers[-1]
    node = msgspec.structs.replace(
        node, size=exactly(node.size, NODE), rate=exactly(node.rate, 150e9),
    )  # fmt: skip
    efficiency = {name: exactly(figure, 0.9) for name, figure in outer.efficiency.items()}
    outer = msgspec.structs.replace(
        outer,
        size=exactly(outer.size, 16_384), rate=exactly(outer.rate, NIC_BYTES_PER_S),
        oversubscription=exactly(outer.oversubscription, 1.0), efficiency=efficiency, switch="",
        link_rate=None, optical_ends=None,
        routing=msgspec.structs.replace(outer.routing, value="measured", points=points),
    )  # fmt: skip
    fabric = msgspec.structs.replace(
        base, tiers=(node, outer), network=None, switches={}, power=None, cost=None, failure=None
    )
    check_fabric(fabric)
    return fabric


@pytest.mark.parametrize(("ranks", "rate_gb_per_s"), [(256, 16.1), (2048, 7.8)])
def test_alps_all_to_all_of_4_gib_per_gpu(ranks, rate_gb_per_s):
    """GPU-aware MPI, De Sensi et al., SC24: what leaves the node, per GPU."""
    one = Conditional(collective="all_to_all", fabric=alps(), draws=500, algorithm="pairwise")
    (found,) = one.at(ranks, [1 << 32])
    left = (ranks - NODE) / ranks * 2**32 / found.given_s[0]
    assert left / 1e9 == pytest.approx(rate_gb_per_s, rel=0.05)


def test_hashing_alone_does_not_halve_a_rate_over_three_doublings():
    """Why Alps's class is `measured`: from 256 to 2,048 ranks it lost half; full links lose 1/4."""
    for links in (16, 64, 256):
        for flows in (0.5, 1, 4, 16, 64):
            near, far = (efficiency("hash", links, leaves, flows) for leaves in (4, 32))
            assert far > 0.7 * near
    assert 7.8 / 16.1 < 0.5


def test_alps_as_published(validation_data):
    """The measured time lies in the interval on that fabric, and its rate is the one above."""
    lines = (validation_data / "collectives/gpu-interconnects-sc24.csv").read_text().splitlines()
    one = Conditional(collective="all_to_all", fabric=alps(), draws=500, algorithm="pairwise")
    for ranks, rate in ((256, 16.1), (2048, 7.8)):
        start = f"alps,alltoall,mpi-gpu,{ranks},4,{1 << 32},"
        (line,) = [line for line in lines if line.startswith(start)]
        time_s = float(line.split(",")[6]) * 1e-6
        assert (ranks - NODE) / ranks * 2**32 / time_s / 1e9 == pytest.approx(rate, rel=0.01)
        (found,) = one.at(ranks, [1 << 32])
        assert found.given_s[3] < time_s < found.given_s[4]


def test_between_points_it_falls_and_beyond_the_last_it_holds():
    fabric = alps()
    one = Conditional(collective="all_to_all", fabric=fabric, draws=900, algorithm="pairwise")
    rates = [(p - NODE) / p * 2**36 / one.at(p, [1 << 36])[0].given_s[0] for p in (256, 724, 16384)]
    assert rates[0] > rates[1] > rates[2]
    assert rates[1] == pytest.approx(np.sqrt(0.644 * 0.31) * NIC_BYTES_PER_S, rel=0.1)


def test_points_are_written_read_and_checked(tmp_path):
    path = tmp_path / "alps.toml"
    path.write_text(to_toml(alps()), encoding="utf-8")
    assert load_path(path).tiers[-1].routing.points == ((256, 0.644, 0.644), (2048, 0.31, 0.31))
    for points, named in (
        ((), "if, only if, it is measured"),
        (((2048, 0.3, 0.3), (256, 0.6, 0.6)), "rising numbers"),
        (((256, 0.6, 1.6),), "expected 0.001 to 1"),
    ):
        with pytest.raises(FabricError, match=named):
            alps(points)
