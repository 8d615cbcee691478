"""The power table of published cases, from the fabric files."""

from __future__ import annotations

import pytest

from collcast.analysis.fabrics import load_fabric
from collcast.analysis.power import feed, network_w_per_gpu, parse_watts
from collcast.bench.errors import UnitError

TABLE = {  # thousands of GPUs: 1.5, 1.82, 2.48, 3.0 kW
    "150MW": (100, 82, 60, 50),
    "300MW": (200, 165, 121, 100),
    "1GW": (667, 550, 403, 333),
    "1.4GW": (933, 770, 565, 467),
    "2.0GW": (1333, 1100, 806, 667),
}


@pytest.mark.parametrize("supply", TABLE)
def test_the_table_follows_from_the_files(supply):
    watts = {supply: parse_watts(supply)}
    cases = {s.case: s.gpus for name in ("colossus-1", "colossus-2")
             for s in feed(load_fabric(name), watts)}  # fmt: skip
    names = ("h100_class", "gb200_low", "gb300_facility", "campus_rating")
    found = [cases[name] / 1000 for name in names]
    assert found == pytest.approx(TABLE[supply], abs=1)  # the table's 1.82 and 2.48 are rounded


def test_what_a_million_needs():
    needed = {s.case: s.needed_w / 1e9 for s in feed(load_fabric("colossus-2"), {"x": 1e9})}
    assert needed["gb200_low"] == pytest.approx(1.8, abs=0.05)
    assert needed["gb300_facility"] == pytest.approx(2.5, abs=0.05)
    assert needed["campus_rating"] == pytest.approx(3.0, abs=0.01)


def test_network_power_is_a_plausible_share():
    """SemiAnalysis: 9 % of a GB300 cluster on three tiers."""
    share = network_w_per_gpu(load_fabric("colossus-2"), 200_000) / 2175
    assert share == pytest.approx(0.09, abs=0.03)


@pytest.mark.parametrize("text", ["150", "150 mw", "-5MW", "150W", "1e3MW", "1kW", "900000GW", ""])
def test_no_power(text):
    with pytest.raises(UnitError, match="supply: found"):
        parse_watts(text)
