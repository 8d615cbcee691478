"""A belief decides what cells leave open, moves nothing else, and can be left out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.dataset import Dataset
from collcast.analysis.extrapolate import Extrapolator
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fabrics.load import load_facts
from collcast.analysis.fit import fit
from collcast.analysis.prior import prior_of
from collcast.bench.cli import main
from collcast.bench.errors import CaseError

FABRIC = load_fabric("colossus-2")
LARGE = (1 << 28, 1 << 30, 1 << 32)
ALL = tuple(1 << k for k in range(3, 31, 3))


def nccl_rows(rows_of, sizes, **fields):
    key, rows = rows_of("ring", sizes=sizes, noise=0.01, per_host=1, **fields)
    key = replace(key, transport="nccl")
    return key, Dataset(tuple(replace(row, key=key) for row in rows))


def parameters(found):
    return {one.name: one for one in found.curve.parameters}


def test_where_only_large_sizes_were_measured_latency_is_what_is_believed(rows_of):
    key, rows = nccl_rows(rows_of, LARGE)
    alone, believed = (
        parameters(fit(key, rows, bootstraps=40, prior=name)) for name in ("none", "nccl")
    )
    fact = load_facts("nccl")["ring_net"]
    assert believed["alpha"].value == pytest.approx(fact.value, rel=0.2)
    # The interval is as vague as the belief.
    assert believed["alpha"].low == pytest.approx(fact.low, rel=0.4)
    assert believed["alpha"].high == pytest.approx(fact.high, rel=0.4)
    assert alone["alpha"].value != pytest.approx(fact.value, rel=0.2)
    assert believed["beta"].value == pytest.approx(1e-10, rel=0.05)


def test_what_the_cells_know_is_hardly_moved(rows_of):
    """TRUTH: alpha 2 us, overhead 3 us; NCCL's constants say 4 and 8.4."""
    key, rows = nccl_rows(rows_of, ALL)
    believed = parameters(fit(key, rows, bootstraps=5, prior="nccl"))
    assert believed["alpha"].value == pytest.approx(2e-6, rel=0.05)
    assert believed["beta"].value == pytest.approx(1e-10, rel=0.02)
    assert believed["overhead"].value == pytest.approx(3e-6, rel=0.4)


def test_what_is_not_identified_stays_named(rows_of):
    key, rows = nccl_rows(rows_of, ALL)
    found = fit(key, rows, bootstraps=5, prior="fabric", fabric=FABRIC)
    assert found.curve.unidentified == ("gamma",)
    assert parameters(found)["gamma"].value == pytest.approx(
        1 / FABRIC.reduction_rate.value, rel=0.2
    )


def test_a_forecast_rests_on_what_is_believed_where_cells_are_silent(rows_of):
    """A ring measured from 256 MiB up: what 8 bytes take on 256 ranks is the belief's."""
    key, rows = nccl_rows(rows_of, LARGE)
    key = replace(key, algorithm="ring")
    rows = Dataset(tuple(replace(row, key=key) for row in rows))
    alone, believed = (
        Extrapolator(fit=fit(key, rows, bootstraps=20, prior=name)).curve_s(256, [8])[0][0]
        for name in ("none", "nccl")
    )
    fact = load_facts("nccl")
    expected = fact["ring_call"].value + 2 * 255 * fact["ring_net"].value
    assert believed == pytest.approx(expected, rel=0.35)
    assert alone != pytest.approx(expected, rel=0.35)


def test_none_is_none_bit_for_bit_and_mpi_has_no_nccl(rows_of):
    key, rows = rows_of("ring")
    plain, none, foreign = (
        fit(key, rows, bootstraps=5, **options)
        for options in ({}, {"prior": "none"}, {"prior": "nccl"})
    )
    assert np.array_equal(plain.curve.drawn_values, none.curve.drawn_values)
    assert np.array_equal(plain.curve.drawn_values, foreign.curve.drawn_values)


def test_protocols_are_the_range_of_a_latency():
    """LL to Simple: 2.7 to 14 us over the network."""
    fact = load_facts("nccl")["ring_net"]
    assert (fact.low, fact.value, fact.high) == (2.7e-6, 4.0e-6, 14.0e-6)


def test_two_tiers_take_the_domain_and_the_network(rows_of):
    key, rows = rows_of("ring", scales=(2, 4, 8, 16, 64), per_host=8)
    prior = prior_of("fabric", key, rows, (8, 1 << 62), FABRIC)
    assert prior.places == (0, 1, 2, 3, 4, 5)
    assert 1 / prior.values[3] == pytest.approx(9e11 * 0.822222)  # NVLink
    assert prior.values[1] == pytest.approx(3.33e-6)
    assert prior.drawn.shape == (200, 6)


def test_what_cannot_be_believed_is_refused(rows_of):
    key, rows = rows_of("ring")
    for arguments, named in (
        (("fabric", key, rows, (1 << 62,)), "found no --fabric"),
        (("luck", key, rows, (1 << 62,)), "expected one of none, nccl, fabric"),
    ):
        with pytest.raises(CaseError, match=named):
            prior_of(*arguments)
    small = Dataset(tuple(replace(row, ranks=1000) for row in rows))
    with pytest.raises(CaseError, match="found 1000 ranks, expected at most 64 of this-machine"):
        prior_of("fabric", key, small, (1 << 62,), load_fabric("this-machine"))


def test_the_command_takes_it(campaign_file, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["fit", str(campaign_file), "--prior", "fabric", "--fabric", "colossus-2",
              "--format", "json"])  # fmt: skip
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)["fits"][0]
    assert "gamma" in [one["name"] for one in found["parameters"]]
    assert set(found["remedies"]) >= set(found["unidentified"])
    with pytest.raises(SystemExit) as ended:
        main(["fit", str(campaign_file), "--fabric", "colossus-2"])
    assert ended.value.code == 2
    assert "expected --prior fabric" in capsys.readouterr().err
