"""On a fabric: two intervals, shares of variance, the switch, layouts and what-ifs."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from collcast.analysis.conditional import LAUNCH_SD, MODEL_SD, Conditional
from collcast.analysis.dataset import Dataset
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fabrics.what_if import what_if
from collcast.analysis.outcome import SOURCES, iteration_variance, shares_of
from collcast.bench.errors import CaseError, FabricError

FABRIC = load_fabric("colossus-2")
MANY = 1_000_000
MIB, GIB = 1 << 20, 1 << 30


def of(collective="all_reduce", fabric=FABRIC, **fields):
    return Conditional(collective=collective, fabric=fabric, draws=2000, **fields)


def width(times):
    return np.log(times[4] / times[3])


def test_the_declared_interval_is_the_models_and_the_launch_s_alone():
    (found,) = of().at(MANY, [MIB])
    sd = np.hypot(MODEL_SD, LAUNCH_SD * np.sqrt(np.log2(MANY)))
    assert width(found.given_s) == pytest.approx(2 * 1.645 * sd, rel=0.05)
    assert width(found.times_s) > 1.2 * width(found.given_s)


def test_without_ranges_both_intervals_are_the_same():
    exact = what_if(
        FABRIC,
        [f"{tier.name}.{field}={getattr(tier, field).value}" for tier in FABRIC.tiers
         for field in ("rate", "latency", "cable", "oversubscription")]
        + [f"{tier.name}.efficiency=0.8" for tier in FABRIC.tiers],
    )  # fmt: skip
    figures = {
        name: msgspec.structs.replace(getattr(exact, name), low=None, high=None)
        for name in ("overhead", "propagation", "reduction_rate")
    }
    (found,) = of(fabric=msgspec.structs.replace(exact, **figures)).at(MANY, [MIB])
    assert found.times_s == found.given_s
    assert found.shares["fabric"] == 0.0
    assert found.shares["model"] == pytest.approx(
        MODEL_SD**2 / (MODEL_SD**2 + LAUNCH_SD**2 * np.log2(MANY))
    )


def test_shares_sum_to_one_and_follow_the_interval():
    (found,) = of(iteration=0.02**2).at(MANY, [MIB])
    assert tuple(found.shares) == SOURCES
    assert sum(found.shares.values()) == pytest.approx(1.0)
    # What the fabric adds to the variance is its share, by both intervals.
    whole, given = ((width(t) / (2 * 1.645)) ** 2 for t in (found.times_s, found.given_s))
    assert found.shares["fabric"] == pytest.approx(1 - given / whole, abs=0.07)
    assert shares_of() == {}


def test_figures_that_a_campaign_gave_are_measured_parameters():
    tiers = tuple(
        msgspec.structs.replace(
            tier,
            **{name: msgspec.structs.replace(getattr(tier, name), status="fitted", formula=None)
               for name in ("latency", "rate")},
        )
        for tier in FABRIC.tiers
    )  # fmt: skip
    fitted = msgspec.structs.replace(FABRIC, tiers=tiers)
    (found,) = of(fabric=fitted).at(MANY, [8])
    (before,) = of().at(MANY, [8])
    assert before.shares["parameters"] == 0.0
    assert found.shares["parameters"] > 0.3
    assert width(found.given_s) > 1.2 * width(before.given_s)
    assert found.times_s == before.times_s  # the same figures, drawn alike


def test_one_draw_of_a_tier_is_shared_by_sizes_and_collectives():
    reduce, gather = (of(name) for name in ("all_reduce", "all_gather"))
    costs = [one._all["exchange"] for one in (reduce, gather)]
    assert np.array_equal(costs[0].beta_s_per_byte, costs[1].beta_s_per_byte)
    logs = [one._fastest(MANY, np.array([2.0**30]), one._all)[0][:, 0] for one in (reduce, gather)]
    assert np.corrcoef(*logs)[0, 1] > 0.8
    other = of("all_to_all")._all["all_to_all"]
    assert np.array_equal(other.alpha_s, costs[0].alpha_s)
    drawn = [np.log(c.beta_s_per_byte[:, 3]) for c in (other, costs[0])]
    assert abs(np.corrcoef(*drawn)[0, 1]) < 0.1  # its efficiency is another figure


def test_nccl_has_no_all_to_all_of_few_messages():
    """Eight bytes for everybody: Bruck needs lg P messages, a group of sends P - 1."""
    (mpi,), (nccl,) = (of("all_to_all", transport=name).at(MANY, [8 * MANY]) for name in
                       ("mpi", "nccl"))  # fmt: skip
    assert (mpi.fastest, nccl.fastest) == ("bruck", "direct")
    assert nccl.times_s[0] > 100 * mpi.times_s[0]
    (asked,) = of("all_to_all", transport="nccl", algorithm="bruck").at(MANY, [8 * MANY])
    assert asked.times_s[0] < nccl.times_s[0]


@pytest.mark.parametrize(
    ("collective", "expected"),
    [
        ("all_reduce", {"ring", "rail_ring", "chain_tree", "nvls", "nvls_tree", "sharp"}),
        ("all_gather", {"ring_gather", "pat_gather"}),
        ("reduce_scatter", {"ring_scatter", "pat_scatter"}),
        ("broadcast", {"chain"}),
        ("all_to_all", {"direct"}),
        ("send_recv", {"neighbour"}),
    ],
)
def test_a_fabric_compares_what_nccl_has(collective, expected):
    assert {model.name for model in of(collective, transport="nccl").models} == expected


def test_no_gather_of_nccl_takes_lg_p_messages_at_a_million():
    (found,) = of("all_gather", transport="nccl").at(MANY, [MIB])
    assert found.fastest == "ring_gather"
    assert found.times_s[0] > 1.0  # NCCL's own constants say 1.27 s with LL
    (reduce,) = of(transport="nccl").at(MANY, [MIB])
    assert reduce.fastest == "nvls_tree"
    plain = msgspec.structs.replace(FABRIC, tiers=tuple(map(_unreducing, FABRIC.tiers)))
    (tree,) = of(fabric=plain, transport="nccl").at(MANY, [MIB])
    assert tree.fastest == "chain_tree"


def _unreducing(tier):
    none = msgspec.structs.replace(tier.in_network_reduction, value="none")
    return msgspec.structs.replace(tier, in_network_reduction=none)


def test_the_switch_is_held_against_what_the_fit_found():
    one = of("all_gather", transport="nccl", measured=MANY)
    assert one.at(MANY, [MIB])[0].switch == 0.0
    assert one.at(MANY, [MIB], ["doubling"])[0].switch > 0.9
    assert one.at(MANY, [MIB], ["ring_gather"])[0].switch < 0.01
    # On one tier the two trees are Rabenseifner's algorithm in other words.
    assert of(transport="nccl").at(MANY, [MIB], ["rabenseifner"])[0].switch < 0.1


@pytest.mark.parametrize(
    ("algorithm", "ranks", "lacking"),
    [
        ("nvls", MANY, "expected all ranks inside the innermost tier"),
        ("sharp", MANY, "expected SHARP in every tier beyond"),
        ("sharp", 72, "expected SHARP"),
    ],
)
def test_switches_that_do_not_reduce_are_not_asked_to(algorithm, ranks, lacking):
    with pytest.raises(CaseError, match=f"found none on colossus-2 at {ranks:,} ranks, {lacking}"):
        of(algorithm=algorithm).at(ranks, [MIB])
    assert of(algorithm="nvls").at(72, [MIB])[0].fastest == "nvls"


def test_the_library_switches_between_scales():
    (same,) = of(measured=MANY).at(MANY, [GIB])
    assert same.switch == 0.0
    assert same.fastest == "two_level"
    (found,) = of(measured=8).at(MANY, [GIB])
    assert found.switch > 0.9
    (unknown,) = of().at(MANY, [GIB])
    assert unknown.switch == 0.0


def test_a_random_ring_pays_the_taper_in_full_and_a_contiguous_one_once():
    def time(scatter, taper):
        fabric = what_if(FABRIC, [f"core.oversubscription={taper}"])
        one = of(fabric=fabric, algorithm="ring", scatter=scatter)
        return one.at(MANY, [1 << 40])[0].given_s[0]

    assert time(0.0, 7) == pytest.approx(time(0.0, 1), rel=0.01)
    crossing = (MANY - 65_536) / (MANY - 1)
    sent = 2 * 2**40 / (0.85 * 100e9)
    assert time(1.0, 7) - time(1.0, 1) == pytest.approx((7 * crossing - 1) * sent, rel=0.02)
    assert time(0.0, 1) < time(0.5, 7) < time(1.0, 7)


def test_all_to_all_pays_the_share_that_crosses():
    """(P - P_t) / P of the bytes cross the taper, whatever the layout."""

    def time(taper, scatter=0.0):
        fabric = what_if(FABRIC, [f"core.oversubscription={taper}"])
        one = of("all_to_all", fabric=fabric, algorithm="pairwise", scatter=scatter)
        return one.at(MANY, [1 << 44])[0].given_s[0]

    crossing = (MANY - 65_536) / MANY
    beta = 1 / (0.6 * 100e9)
    assert time(7) - time(1) == pytest.approx(6 * crossing * beta * 2**44, rel=0.02)
    assert time(7, 1.0) == pytest.approx(time(7), rel=1e-9)


def test_what_if_refuses_what_there_is_not():
    changed = what_if(FABRIC, ["core.oversubscription=4", "pod.latency=2e-6"])
    assert (changed.tiers[3].oversubscription.value, changed.tiers[3].oversubscription.low) == (
        4.0,
        None,
    )
    assert changed.tiers[2].latency.value == 2e-6
    for text, named in (
        ("spine.oversubscription=4", "expected one of nvlink, leaf, pod, core"),
        ("core.taper=4", "expected one of size, rate"),
        ("core=4", "expected such as spine.oversubscription=4"),
        ("core.latency=fast", "expected such as spine.oversubscription=4"),
        ("core.oversubscription=0.5", "expected 1 to 1000"),
        ("core.latency=nan", "expected"),
    ):
        with pytest.raises(FabricError, match=named):
            what_if(FABRIC, [text])


def test_iterations_speak_through_the_intervals_of_single_launches(rows_of):
    _, rows = rows_of("ring")
    expected = (np.log(1.03 / 0.98) / (2 * 1.96)) ** 2
    assert iteration_variance(rows) == pytest.approx(expected)
    assert iteration_variance(Dataset(())) == 0.0
