"""Validation hides what it says, scores only that, and its contract is the issue's."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from click.testing import CliRunner

from collcast.analysis.commands.validate import validate as command
from collcast.analysis.dataset import Dataset
from collcast.analysis.validate import ENGINE, forecast, tasks_of, validate

SUMMARY = [
    "median_error", "p90_error", "bias", "coverage_50", "coverage_90", "coverage_90_low",
    "coverage_90_high", "width_90", "winkler_90", "series", "clusters",
    "skill",
]  # fmt: skip
SCALES = (2, 4, 8, 16, 32, 64, 128, 256)


@pytest.fixture
def rows(rows_of):
    return rows_of("ring", scales=SCALES, sizes=(8, 1 << 12, 1 << 20, 1 << 28))[1]


def test_the_largest_scales_are_hidden(rows):
    (task,), skipped = tasks_of(rows, 8)
    assert {row.ranks for row in task.known} == {2, 4, 8, 16, 32}
    assert {row.ranks for row in task.hidden} == {64, 128, 256}
    assert skipped == {}


def test_a_series_of_too_few_scales_is_counted(rows):
    tasks, skipped = tasks_of(rows, 16)
    assert tasks == []
    assert skipped == {"4 of 5 scales at most 1/16 of most": 1}


def test_what_cannot_be_believed_is_neither_fitted_nor_scored(rows):
    spoiled = tuple(
        replace(row, median_s=1e-9, suspect="physics") if row.message_bytes == 8 else row
        for row in rows
    )
    found = validate(Dataset(spoiled))
    assert found.suspect == {"physics": len(SCALES)}
    assert 8 not in found.held[0].message_bytes
    clean = validate(Dataset(tuple(row for row in rows if row.message_bytes != 8)))
    assert found.score() == clean.score()


def test_hidden_times_do_not_move_the_forecast(rows):
    (task,), _ = tasks_of(rows, 8)
    other = replace(task, hidden=tuple(replace(row, median_s=7.0) for row in task.hidden))
    assert np.array_equal(forecast(task).times_s[ENGINE], forecast(other).times_s[ENGINE])


def test_a_formula_is_forecast_better_than_by_any_baseline(rows):
    found = validate(rows)
    own = found.score()
    assert own.median_error < 0.05
    assert own.coverage_90 > 0.8
    for name in ("power_law", "last_value", "pmnf"):
        assert own.winkler_90 < found.score(name).winkler_90


def test_cells_in_common_are_those_that_every_method_forecasts(rows):
    """One cell taken from a baseline leaves all tables of the page."""
    found = validate(rows)
    (held,) = found.held
    gaps = {name: times.copy() for name, times in held.times_s.items()}
    gaps["power_law"][0] = np.nan
    common = replace(found, held=(replace(held, times_s=gaps),)).in_common()
    (left,) = common.held
    assert np.array_equal(left.true_s, held.true_s[1:])
    assert len(left.statuses) == len(left.true_s)
    assert {common.score(method).cells for method in held.times_s} == {len(held.true_s) - 1}


def test_processes_give_the_same_bit_for_bit(rows):
    other = Dataset(tuple(replace(row, key=replace(row.key, system="other")) for row in rows))
    both = Dataset(rows.rows + other.rows)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        spread = validate(both, run=pool.map)
    for alone, held in zip(validate(both).held, spread.held, strict=True):
        assert np.array_equal(alone.times_s[ENGINE], held.times_s[ENGINE])


def table_of(rows, path):
    lines = ["system,collective,backend,ranks,bytes,time_us"]
    lines += [
        f"m,allreduce,x,{row.ranks},{row.message_bytes},{row.median_s * 1e6!r}" for row in rows
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_the_contract_of_the_command(rows, tmp_path):
    path = table_of(rows, tmp_path / "t.csv")
    result = CliRunner().invoke(command, [path, "--format", "json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert list(found["summary"]) == SUMMARY
    assert set(found["baselines"]) == {"power_law", "last_value", "pmnf"}
    for figures in found["baselines"].values():
        assert list(figures) == SUMMARY
    assert set(SUMMARY) <= set(found["series"][0])
    assert found["cells"] == found["series"][0]["hidden_cells"] == 12
    assert found["summary"]["skill"] is None
    assert found["summary"]["series"] == 1
    assert found["series"][0]["system"] == "m"
    table = CliRunner().invoke(command, [path], catch_exceptions=False).stdout
    assert "power_law" in table
    assert f"{100 * found['summary']['median_error']:.1f}" in table


def test_nothing_to_score_is_said(rows, tmp_path):
    few = Dataset(tuple(row for row in rows if row.ranks < 32))
    path = table_of(few, tmp_path / "t.csv")
    result = CliRunner().invoke(command, [path, "--format", "json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["summary"]["median_error"] is None
    assert found["skipped"] == {"1 of 5 scales at most 1/8 of most": 1}


def test_skill_is_the_error_over_the_noise_of_launches(rows):
    launches = tuple(
        replace(row, launches=4, low_s=row.median_s / 1.1, high_s=row.median_s * 1.1)
        for row in rows
    )
    held = validate(Dataset(launches)).held[0]
    error = np.abs(np.log(held.times_s[ENGINE][:, 0] / held.true_s))
    assert held.noise == pytest.approx(launches[0].launch_sd)
    assert held.score().skill == pytest.approx(np.median(error) / launches[0].launch_sd)


def test_the_middle_scale_can_be_hidden(rows):
    (task,), skipped = tasks_of(rows, 0)
    assert {row.ranks for row in task.hidden} == {32}
    assert {row.ranks for row in task.known} == set(SCALES) - {32}
    assert skipped == {}
    few = Dataset(tuple(row for row in rows if row.ranks < 64))
    assert tasks_of(few, 0)[1] == {"4 of 5 scales without the middle one": 1}


def test_the_page_names_what_failed(rows, tmp_path):
    slow = tuple(
        replace(row, median_s=20 * row.median_s) if row.ranks == 128 else row for row in rows
    )
    path = table_of(Dataset(slow), tmp_path / "t.csv")
    page = CliRunner().invoke(command, [path, "--format", "page"], catch_exceptions=False).stdout
    section = page.split("## Holdout")[1]
    failed = section.split("### Where it fails")[1]
    assert "| 128 | 95 % | 0 % | a launch apart |" in failed
    assert "| 256 |" not in failed
    assert "without the 4 cells of launches apart" in section
    assert "## Holdout 32" in page
    assert "## The middle scale left out" in page
    assert "by cluster: m all_reduce" in page
