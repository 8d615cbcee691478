"""Advice: what it says to measure narrows the interval more than as much chosen at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.commands.plan import parse_budget
from collcast.analysis.dataset import Dataset
from collcast.analysis.extrapolate import Extrapolator
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fit import fit
from collcast.analysis.plan import REPETITIONS, _candidates, advise, cost_of
from collcast.bench.errors import CaseError
from collcast.bench.units import format_bytes

TARGET = 1024
BUDGET_S = 1_500.0
NOISE = 0.05
SIZES = (8, 1 << 10, 1 << 15, 1 << 20, 1 << 25)
FURTHER = 128


@pytest.fixture(scope="module", params=[("recursive_doubling", "ring"), ("pairwise",)])
def measured(rows_of, request):
    """Truth, series, and its fit: 5 scales of a large machine."""
    key, rows = rows_of(*request.param, scales=(2, 4, 8, 16, 32), sizes=SIZES, noise=NOISE,
                        cores=1 << 30, seed=4)  # fmt: skip
    return request.param, key, rows, fit(key, rows, bootstraps=30)


def width(found, sizes=SIZES):
    times = np.array(Extrapolator(fit=found).curve_s(TARGET, sizes))
    return float(np.log(times[:, 4] / times[:, 3]).mean())


def measuring(measured, cells, truth, seed):
    """The fit once these cells of the truth are measured, too, with the same noise."""
    names, key, rows, _ = measured
    generator = np.random.default_rng(seed)
    more = []
    for cell in cells:
        time_s = truth(names, cell.ranks, [cell.message_bytes])[0]
        time_s *= np.exp(NOISE * generator.standard_normal())
        times = {"median_s": time_s, "low_s": 0.98 * time_s, "high_s": 1.03 * time_s}
        place = {"ranks": cell.ranks, "message_bytes": cell.message_bytes}
        more.append(replace(rows.rows[0], **place, **times))
    return fit(key, Dataset((*rows.rows, *more)), bootstraps=30)


def at_random(found, seed):
    """Cells in random order, as many as the budget pays for."""
    generator = np.random.default_rng(seed)
    cells = _candidates(found, SIZES, FURTHER)
    left, chosen, launched = BUDGET_S, [], set()
    for index in generator.permutation(len(cells)):
        cell = cells[index]
        times = Extrapolator(fit=found).curve_s(cell.ranks, [cell.message_bytes])
        cost = cost_of(cell, times[0][0], cell.ranks in launched)
        if cost <= left:
            left -= cost
            launched.add(cell.ranks)
            chosen.append(cell)
    return chosen


def test_what_is_said_narrows_more_than_chance(measured, truth):
    found = measured[-1]
    advice = advise(found, TARGET, BUDGET_S, most_ranks=FURTHER)
    assert advice.spent_s <= BUDGET_S
    after = np.median([width(measuring(measured, advice.cells, truth, k)) for k in (1, 2, 3)])
    chance = [width(measuring(measured, at_random(found, k), truth, k)) for k in (1, 2, 3, 4)]
    assert after < 0.8 * width(found)
    assert after < np.median(chance)
    # What was said beforehand is about what came.
    assert np.log(advice.cells[-1].width_90) == pytest.approx(after, rel=0.25)


def test_it_narrows_as_it_goes_and_pays_at_first_most(measured):
    found = measured[-1]
    advice = advise(found, TARGET, BUDGET_S, most_ranks=FURTHER)
    widths = [advice.width_90, *(cell.width_90 for cell in advice.cells)]
    assert widths == sorted(widths, reverse=True)
    assert advice.width_90 == pytest.approx(np.exp(width(found)), rel=0.05)
    assert sum(advice.shares.values()) == pytest.approx(1.0)
    assert 0 < advice.reducible < 1
    assert max(cell.ranks for cell in advice.cells) == FURTHER
    less = advise(found, TARGET, BUDGET_S / 4, most_ranks=FURTHER)
    assert less.spent_s <= BUDGET_S / 4
    assert less.cells[-1].width_90 > advice.cells[-1].width_90
    assert (
        advise(found, TARGET, 1.0).reason == "nothing that the budget allows narrows the interval"
    )


def test_each_launch_has_a_command(measured):
    found = measured[-1]
    advice = advise(found, TARGET, 10 * BUDGET_S, most_ranks=FURTHER)
    for cell in advice.cells:
        start = f"collcast run {found.key.collective} --ranks {cell.ranks} --sizes "
        assert any(
            command.startswith(start) and format_bytes(cell.message_bytes) in command
            for command in advice.commands
        )
    assert all(f"--repetitions {REPETITIONS} -o" in command for command in advice.commands)
    assert len({command.split(" -o ")[1] for command in advice.commands}) == len(advice.commands)


def test_a_forced_series_is_planned_with_its_algorithm(rows_of):
    key, rows = rows_of("ring", scales=(2, 4, 8), cores=64, noise=0.1)
    forced = replace(key, algorithm="ring", transport="nccl")
    own = Dataset(tuple(replace(row, key=forced) for row in rows))
    advice = advise(fit(forced, own, bootstraps=20), 64, BUDGET_S)
    assert {cell.algorithm for cell in advice.cells} == {"ring"}
    assert all("--transport nccl --algorithm ring" in command for command in advice.commands)


def test_beyond_the_measured_tier_it_is_the_fabric_s(rows_of):
    found = fit(*rows_of("ring", cores=64), bootstraps=5)
    fabric = load_fabric("colossus-2")
    advice = advise(found, 1_000_000, BUDGET_S, fabric)
    assert advice.cells == ()
    assert "beyond the measured tier of 64" in advice.reason
    assert advice.shares["fabric"] > 0.3
    assert advice.reducible == 0.0
    bare = advise(found, 1_000_000, BUDGET_S)
    assert "a --fabric would give an interval" in bare.reason
    assert bare.width_90 == 0.0


def test_too_little_to_plan_on_says_what_is_needed(rows_of):
    advice = advise(fit(*rows_of("ring", scales=(2, 4))), 1024, BUDGET_S)
    assert "2 of 3 numbers of ranks needed" in advice.reason


def test_budgets():
    assert parse_budget("5gpu-h") == 18_000
    for text in ("2000", "2000gpu", "-1gpu-min", "0gpu-min", "2000 min"):
        with pytest.raises(CaseError, match="expected such as 2000gpu-min"):
            parse_budget(text)
