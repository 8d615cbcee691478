"""Predictions: their kind, their intervals, their truth."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from collcast.analysis.dataset import Dataset
from collcast.analysis.extrapolate import Extrapolator, supported_ranks
from collcast.analysis.fabrics import draw_costs, load_fabric
from collcast.analysis.fit import fit
from collcast.analysis.models import models_of, time_s
from collcast.analysis.prediction import COLUMNS, notes, statement
from collcast.bench.errors import CaseError

CONTRACT = [
    "collective", "transport", "algorithm", "protocol", "sync", "dtype", "placement",
    "memory", "fabric", "ranks", "message_bytes", "time_us", "low50_us", "high50_us",
    "low90_us", "high90_us", "status", "assumed_tiers",
]  # fmt: skip
LATER = [
    "given_time_us", "given_low50_us", "given_high50_us", "given_low90_us", "given_high90_us",
    "share_parameters", "share_fabric", "share_model", "share_launch", "share_iteration",
    "fastest", "switch_probability", "bound_us", "bound", "clipped", "factor", "validated",
]  # fmt: skip
FABRIC = load_fabric("colossus-2")


def one(found, ranks, n=1 << 20, fabric=None):
    (prediction,) = Extrapolator(fit=found, fabric=fabric).predict([ranks], [n])
    return prediction


def test_keys_are_the_contract_s():
    assert list(COLUMNS) == CONTRACT + LATER


def test_every_key_is_documented():
    page = (Path(__file__).parents[2] / "docs/extrapolating.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in page] == []


def test_measured_is_given_as_measured(rows_of):
    key, rows = rows_of("ring")
    row = rows.rows[3]
    found = one(fit(key, rows, bootstraps=5), row.ranks, row.message_bytes, FABRIC)
    assert found.status == "measured"
    assert found.time_us == row.median_s * 1e6
    assert row.low_s * 1e6 < found.low90_us < found.low50_us < found.time_us
    assert found.time_us < found.high50_us < found.high90_us < row.high_s * 1e6
    assert found.fabric == ""
    assert found.assumed_tiers == ()


def test_a_wrong_measurement_is_not_given_as_measured(rows_of):
    key, rows = rows_of("ring")
    spoiled = Dataset((replace(rows.rows[0], wrong=1, median_s=9.0), *rows.rows[1:]))
    found = one(fit(key, spoiled, bootstraps=5), rows.rows[0].ranks, rows.rows[0].message_bytes)
    assert found.status == "extrapolated"
    assert found.time_us < 1e3


@pytest.mark.parametrize("names", [("ring",), ("rabenseifner",), ("pairwise",)], ids="+".join)
def test_extrapolation_meets_the_truth_64_times_further(fit_of, truth, names):
    found = fit_of(*names, bootstraps=50)
    for n in (8, 1 << 20, 1 << 30):
        prediction = one(found, 4096, n)
        true_us = truth(names, 4096, [n])[0] * 1e6
        assert prediction.status == "extrapolated"
        assert prediction.time_us == pytest.approx(true_us, rel=0.1)
        assert prediction.low90_us <= true_us <= prediction.high90_us


def test_intervals_widen_with_distance(fit_of):
    found = fit_of("ring", bootstraps=50)
    widths = [(p := one(found, ranks)).high90_us / p.low90_us for ranks in (48, 256, 2048)]
    assert widths == sorted(widths)


def test_beyond_the_host_nothing_is_known_without_a_fabric(fit_of):
    found = fit_of("ring", cores=128)
    assert one(found, 128).status == "extrapolated"
    beyond = one(found, 129)
    assert beyond.status == "unsupported"
    assert beyond.time_us is None
    assert one(found, 129, fabric=FABRIC).status == "conditional"


def test_beyond_what_was_ever_checked_nothing_is_extrapolated(fit_of):
    found = fit_of("ring", cores=1 << 30)
    assert one(found, 64 * 64).status == "extrapolated"
    beyond = one(found, 64 * 64 + 1)
    assert beyond.status == "unsupported"
    assert beyond.time_us is not None
    assert one(found, 64 * 64 + 1, fabric=FABRIC).status == "conditional"


def test_fewer_than_five_scales_support_nothing_beyond(fit_of):
    found = fit_of("ring", scales=(2, 4, 8, 16))
    assert one(found, 12).status == "extrapolated"
    beyond = one(found, 64)
    assert beyond.status == "unsupported"
    assert beyond.time_us is not None  # shown, not hidden


def test_fewer_than_three_scales_support_nothing(fit_of):
    found = fit_of("ring", scales=(2, 4))
    assert one(found, 3).status == "unsupported"
    assert one(found, 1_000_000, fabric=FABRIC).status == "conditional"


def test_an_interval_wider_than_ten_is_unsupported(fit_of):
    found = fit_of("ring", noise=1.5, bootstraps=20)
    prediction = one(found, 4096)
    assert prediction.high90_us > 10 * prediction.low90_us
    assert prediction.status == "unsupported"


def test_two_hosts_support_more_but_not_beyond_a_single_known_leaf(rows_of):
    key, rows = rows_of("ring", scales=(2, 4, 8, 16, 32), per_host=8)
    assert supported_ranks(fit(key, rows, bootstraps=0)) == np.inf
    under_one_leaf = Dataset(tuple(replace(row, leaves=1) for row in rows))
    assert supported_ranks(fit(key, under_one_leaf, bootstraps=0)) == 32


def test_conditional_names_the_tiers_it_uses(fit_of):
    found = fit_of("ring", scales=(2, 4))
    for ranks, tiers in ((72, 1), (73, 2), (257, 3), (1_000_000, 4)):
        prediction = one(found, ranks, fabric=FABRIC)
        assert prediction.assumed_tiers == ("nvlink", "leaf", "pod", "core")[:tiers]
        assert prediction.fabric == "colossus-2"


def test_conditional_is_the_fastest_model_on_the_fabric(fit_of):
    found = fit_of("ring", scales=(2, 4))
    best = min(
        time_s(
            model.demand(1_000_000, FABRIC.sizes),
            np.array([2.0**30]),
            draw_costs(FABRIC, model.pattern, 0),
        )[0, 0]
        for model in models_of("all_reduce", 4)
    )
    prediction = one(found, 1_000_000, 1 << 30, FABRIC)
    assert prediction.time_us == pytest.approx(best * 1e6, rel=0.15)


def test_conditional_respects_the_nic(fit_of):
    # No all-to-all sends its bytes out of a rack of 72 faster than 100 GB/s.
    found = fit_of("pairwise", scales=(2, 4))
    prediction = one(found, 1_000_000, 1 << 30, FABRIC)
    assert prediction.low90_us > 0.8 * 2**30 / 100e9 * 1e6


def test_more_ranks_than_endpoints_are_unsupported(fit_of):
    found = fit_of("ring", scales=(2, 4))
    assert one(found, 1_000_001, fabric=FABRIC).status == "unsupported"


def test_wider_figures_widen_the_interval(fit_of):
    found = fit_of("ring", scales=(2, 4))
    core = FABRIC.tiers[3]
    exact = type(core.latency)(**(asdict_figure(core.latency) | {"low": None, "high": None}))
    tiers = (
        *FABRIC.tiers[:3],
        type(core)(**({f: getattr(core, f) for f in core.__struct_fields__} | {"latency": exact})),
    )
    narrow = type(FABRIC)(
        **({f: getattr(FABRIC, f) for f in FABRIC.__struct_fields__} | {"tiers": tiers})
    )
    wide, less = (one(found, 1_000_000, 8, fabric) for fabric in (FABRIC, narrow))
    assert wide.high90_us / wide.low90_us > less.high90_us / less.low90_us


def asdict_figure(figure):
    return {name: getattr(figure, name) for name in figure.__struct_fields__}


def test_bands_are_ordered_everywhere(fit_of):
    found = fit_of("ring", bootstraps=20)
    predictions = Extrapolator(fit=found, fabric=FABRIC).predict(
        [2, 3, 16, 100, 4096, 5000, 1_000_000], [8, 12, 1 << 20, 1 << 33]
    )
    assert {p.status for p in predictions} == {"measured", "extrapolated", "conditional"}
    for p in predictions:
        assert p.low90_us <= p.low50_us <= p.time_us <= p.high50_us <= p.high90_us
        assert all(type(asdict(p)[name]) is float for name in COLUMNS[11:16])


def test_predictions_repeat_with_the_seed(fit_of):
    found = fit_of("ring")
    first, again = (
        Extrapolator(fit=found, fabric=FABRIC).predict([100, 1_000_000], [8]) for _ in range(2)
    )
    assert first == again


def test_statement_says_what_kind_it_is(fit_of):
    found = fit_of("ring", scales=(2, 4))
    predictions = Extrapolator(fit=found, fabric=FABRIC).predict([1_000_000], [8])
    line = statement(predictions, FABRIC)
    assert line.startswith("Conditional forecast: nothing of the network was measured")
    assert "nvlink, leaf, pod, core" in line
    assert "about 488 times any published GPU measurement" in line
    bare = statement(Extrapolator(fit=found).predict([1_000_000], [8]), None)
    assert bare == "Of 1 predictions: 1 unsupported."


def test_without_a_number_the_output_says_what_would_give_one(fit_of):
    found = fit_of("ring", cores=128)
    (line,) = notes(Extrapolator(fit=found).predict([1_000_000], [8, 1 << 20]), 4)
    assert line.startswith("no number: 2 of 2 forecasts of all_reduce, up to 1,000,000 ranks")
    assert "15,625 times the largest measured scale" in line
    assert "a --fabric or measurements across" in line
    near = notes(Extrapolator(fit=found).predict([100], [8]), 4)
    assert not any(line.startswith("no number") for line in near)


def test_what_is_unsupported_says_that_it_was_not_validated(fit_of):
    found = fit_of("ring", cores=1 << 30)
    predictions = Extrapolator(fit=found).predict([1_000_000], [1 << 20])
    assert predictions[0].status == "unsupported"
    assert any(line.startswith("not validated: 1 of 1") for line in notes(predictions, 4))


def test_an_algorithm_of_several_tiers_needs_them(fit_of):
    extrapolator = Extrapolator(
        fit=fit_of("ring", scales=(2, 4)), fabric=load_fabric("this-machine"),
        algorithm="two_level",
    )  # fmt: skip
    with pytest.raises(CaseError, match="two_level: found 1 tier of this-machine, expected 2"):
        extrapolator.predict([64], [8])


def test_a_fabric_too_vague_to_decide_anything_is_unsupported(fit_of):
    core = FABRIC.tiers[3]
    vague = msgspec.structs.replace(
        core, rate=msgspec.structs.replace(core.rate, low=1e9, high=1e12, formula=None)
    )
    fabric = msgspec.structs.replace(FABRIC, tiers=(*FABRIC.tiers[:3], vague))
    prediction = one(fit_of("pairwise", scales=(2, 4)), 1_000_000, 1 << 44, fabric)
    assert prediction.status == "unsupported"
    assert prediction.high90_us > 10 * prediction.low90_us
    assert prediction.fabric == "colossus-2"  # shown, with what it rests on


def test_a_message_too_small_for_its_peers_is_pointed_out(fit_of):
    found = fit_of("pairwise", scales=(2, 4))
    extrapolator = Extrapolator(fit=found, fabric=FABRIC)
    note, *others = notes(extrapolator.predict([1_000_000], [1 << 20, 1 << 30]), 4)
    assert "not realisable" in note
    assert "1.05 bytes" in note
    assert not any("not realisable" in line for line in others)
    enough = notes(extrapolator.predict([1_000_000], [1 << 22]), 4)
    assert not any("not realisable" in line for line in enough)


@pytest.mark.parametrize("collective", ["all_gather", "reduce_scatter", "gather", "scatter"])
def test_so_is_a_part_too_small_for_its_rank(fit_of, collective):
    found = Extrapolator(fit=fit_of("pairwise", scales=(2, 4)), fabric=FABRIC)
    (p,) = found.predict([1_000_000], [1 << 20])
    line, *_ = notes([replace(p, collective=collective)], 4)
    assert f"1 {collective} forecasts" in line
    assert "not realisable" not in "".join(notes([replace(p, collective="all_reduce")], 4))


def test_a_forced_tree_of_nccl_is_a_chain_inside_domains(fit_of):
    found = fit_of("ring", scales=(2, 4))
    forced = replace(found.key, transport="nccl", varied="NCCL_ALGO=Tree")
    extrapolator = Extrapolator(fit=replace(found, key=forced), fabric=FABRIC)
    assert extrapolator.predict([1_000_000], [1 << 20])[0].fastest == "chain_tree"


def test_inside_the_fitted_scales_nothing_is_far(fit_of):
    found = fit_of("ring", cores=1 << 30, scales=(4, 64, 1024, 4096, 16_384))
    inside = Extrapolator(fit=found).predict([8192], [1 << 20])
    assert not any("not validated" in line for line in notes(inside, 4))
    supposed = Extrapolator(fit=found, fabric=FABRIC, algorithm="ring")
    (line,) = [x for x in notes(supposed.predict([8], [1 << 20]), 4) if "not validated" in x]
    assert "times the largest" not in line


def test_beyond_what_was_validated_the_output_says_so(fit_of):
    found = fit_of("ring", cores=1 << 30)
    extrapolator = Extrapolator(fit=found, fabric=FABRIC)
    near = extrapolator.predict([64, 2048], [1 << 20])
    assert all(p.validated for p in near)
    assert not any("not validated" in line for line in notes(near, 4))
    far = extrapolator.predict([2049, 1_000_000], [1 << 20])
    assert not any(p.validated for p in far)
    (line,) = [line for line in notes(far, 4) if "not validated" in line]
    assert "1,000,000 ranks, 15,625 times the largest measured scale" in line
