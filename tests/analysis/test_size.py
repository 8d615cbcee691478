"""Sizes against published tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fabrics.build import Plan, build
from collcast.analysis.size import measure_size
from collcast.bench.errors import FabricError

TREE = Plan(
    name="tree", endpoints=1, domain=8, nic_bits_per_s=400e9, ports=64, port_bits_per_s=400e9,
    rails=8, nvlink=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("tiers", "endpoints", "switches", "links"),
    [(2, 2_048, 96, 2_048), (3, 65_536, 5_120, 131_072)],
)
def test_fat_trees_of_deepseek_isca_2025_table_3(tiers, endpoints, switches, links):
    size = measure_size(build(replace(TREE, endpoints=endpoints, tiers=tiers)))
    assert (size.switches, size.links) == (switches, links)


def test_multi_plane_fat_tree_of_deepseek_isca_2025_table_3():
    size = measure_size(load_fabric("deepseek-mpft"))
    assert (size.endpoints, size.switches, size.links) == (16_384, 768, 16_384)


def test_mrc_s_two_tiers_and_its_claims_of_two_thirds_and_three_fifths():
    fabric = load_fabric("mrc-131k")
    size = measure_size(fabric)
    assert (size.switches, [tier.switches for tier in size.tiers]) == (6_144, [4_096, 2_048])
    three = build(replace(TREE, endpoints=131_072, nic_bits_per_s=800e9, ports=512, domain=72,
                          port_bits_per_s=100e9, planes_per_nic=8, tiers=3, nvlink=5))  # fmt: skip
    other = measure_size(three)
    assert size.optical_ends / other.optical_ends == pytest.approx(2 / 3, rel=1e-3)
    assert size.switches / other.switches == pytest.approx(3 / 5, rel=0.01)


def test_llama_3_s_cluster():
    size = measure_size(load_fabric("llama3-24k"))
    assert size.endpoints == 8 * 192 * 16 == 24_576
    assert size.tiers[0].switches == 8 * 192  # one per rack
    assert size.tiers[1].links == 24_576
    assert size.tiers[2].links == round(24_576 / 7)


def test_hpn_s_pod():
    size = measure_size(load_fabric("alibaba-hpn"))
    assert size.endpoints == 15_360
    assert size.tiers[0].switches == 15 * 16  # eight rails of two planes per segment
    assert size.tiers[0].links == 2 * 15_360


@pytest.mark.parametrize(
    ("name", "switches_k"),
    [("colossus-2", 39), ("colossus-2-four-tier", 55)],  # 800G: 102.4T, L=3; 400G: 51.2T, L=4
)
def test_a_million_takes_as_many_switches_as_the_table_says(name, switches_k):
    assert round(measure_size(load_fabric(name)).switches / 1000) == switches_k


def test_planes_do_not_change_the_number_of_switches():
    one = replace(
        TREE, endpoints=1024, rails=1, ports=64, port_bits_per_s=800e9, nic_bits_per_s=800e9
    )
    four = replace(one, ports=256, port_bits_per_s=200e9, planes_per_nic=4)
    sizes = [measure_size(build(replace(plan, tiers=2))).switches for plan in (one, four)]
    assert sizes[0] == sizes[1] == 48


def test_optics_of_200_000_gpus_on_three_tiers_draw_about_17_mw():
    """SemiAnalysis: 17 MW of transceivers, 85 W per GPU; a band of a fifth for what is optical."""
    plan = Plan(name="x", endpoints=200_000, nic_bits_per_s=800e9, ports=512, tiers=3,
                port_bits_per_s=200e9, planes_per_nic=4)  # fmt: skip
    watts = sum(t.optic_power_w.value for t in measure_size(build(plan)).tiers)
    assert watts == pytest.approx(17e6, rel=0.2)


def test_more_than_the_switches_hold_is_refused():
    with pytest.raises(FabricError, match="1 to 131,072"):
        measure_size(load_fabric("mrc-131k"), 131_073)
    with pytest.raises(FabricError, match=r"this-machine\.network"):
        measure_size(load_fabric("this-machine"))
