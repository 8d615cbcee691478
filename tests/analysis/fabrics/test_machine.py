"""A machine's own fabric: what was fitted replaces what was assumed."""

from __future__ import annotations

import pytest

from collcast.analysis.extrapolate import Extrapolator
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fabrics.machine import machine_fabric
from collcast.analysis.fabrics.write import to_toml
from collcast.analysis.fit import fit
from collcast.bench.errors import CaseError


def test_fitted_figures_replace_assumed_ones(rows_of, tmp_path):
    found = machine_fabric("mine", [fit(*rows_of("recursive_doubling"))], "run.h5")
    statuses = {name: figure.status for name, figure in found.figures().items()}
    assert statuses["host.rate"] == "fitted"
    assert statuses["endpoints"] == "measured"
    assert statuses["host.cable"] == "assumed"
    assert 1 / found.tiers[0].rate.value == pytest.approx(1e-10, rel=0.2)
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(found), encoding="utf-8")
    assert load_fabric(path).figures() == found.figures()


def test_two_sizes_on_few_ranks_are_enough_to_measure(rows_of):
    found = machine_fabric(
        "mine", [fit(*rows_of("recursive_doubling", scales=(2,), sizes=(8, 1 << 24), noise=0))],
        "run.h5",
    )  # fmt: skip
    tier = found.tiers[0]
    assert (tier.latency.status, tier.rate.status) == ("measured", "measured")
    assert found.overhead.status == "assumed"
    assert tier.latency.value == pytest.approx(3e-6 + 2e-6, rel=0.01)  # overhead and one alpha
    assert tier.rate.value == pytest.approx(1e10, rel=0.01)


def test_nothing_measured_is_refused(rows_of):
    key, rows = rows_of("ring", sizes=(8,), scales=(2,))
    with pytest.raises(CaseError, match=r"run\.h5: found no fit"):
        machine_fabric("mine", [fit(key, rows)], "run.h5")


@pytest.mark.parametrize("name", ["colossus-1", "deepseek-mpft", "alibaba-hpn", "this-machine"])
def test_every_fabric_carries_a_forecast(name, rows_of):
    fabric = load_fabric(name)
    extrapolator = Extrapolator(fit=fit(*rows_of("ring", cores=2, scales=(2,))), fabric=fabric)
    (found,) = extrapolator.predict([round(fabric.endpoints.value)], [1 << 20])
    assert found.status == "conditional"
    assert found.low90_us < found.time_us < found.high90_us
