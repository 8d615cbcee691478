"""A design identifies what it says, and what it says it does not is not there to be had."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from collcast.analysis.design import design_of
from collcast.analysis.experiment import plan_experiment
from collcast.analysis.named import models_named
from collcast.bench.algorithms import ALGORITHMS
from collcast.bench.errors import CaseError
from collcast.bench.store import read_campaign
from collcast.bench.sweep import sweep
from collcast.bench.units import parse_sizes

if TYPE_CHECKING:
    from pathlib import Path


def test_scales_cross_both_tiers_with_whole_nodes() -> None:
    found = plan_experiment("all_reduce", nodes=5, ranks_per_node=8)
    assert found.ranks == (2, 3, 4, 6, 8, 16, 24, 32, 40)
    assert plan_experiment("all_reduce", 1, 12).ranks == (2, 3, 4, 6, 8, 12)
    assert plan_experiment("all_reduce", 7, 1).ranks == (2, 3, 4, 6, 7)


@pytest.mark.parametrize(("nodes", "per_node"), [(1, 8), (8, 1), (4, 8), (64, 8), (1, 2)])
@pytest.mark.parametrize("collective", ["all_reduce", "all_to_all"])
def test_parameters_come_back_from_the_cells(collective: str, nodes: int, per_node: int) -> None:
    """Least squares on times without noise finds what is said to be identified, from all models
    together; the cells' own rounding is all that is lost."""
    found = plan_experiment(collective, nodes, per_node)
    tiers = (1 << 62,) if min(nodes, per_node) == 1 else (per_node, 1 << 62)
    counts, n = (
        column.reshape(-1)
        for column in np.meshgrid(found.ranks, parse_sizes(found.sizes), indexing="ij")
    )
    models = list(models_named(collective).values())
    matrix = np.concatenate(design_of(models, counts, n.astype(float), tiers))
    truth = np.array([2e-7, 1.5e-6, 6e-6, 3e-11, 1e-10, 4e-11])
    truth = truth[[0, 1, 3, 5]] if len(tiers) == 1 else truth
    time_s = matrix @ truth
    names = ("overhead", "alpha", "beta", "gamma")
    if len(tiers) == 2:
        names = ("overhead", "alpha_0", "alpha_1", "beta_0", "beta_1", "gamma")
    kept = [names.index(name) for name in found.together.identified]
    weighted = (matrix / time_s[:, None])[:, kept]
    if (collective, found.ranks) == ("all_to_all", (2,)):  # there all models are the same
        assert found.together.identified == ("overhead", "beta")
        return
    assert found.together.unidentified == ()
    solved, *_ = np.linalg.lstsq(weighted, np.ones(len(weighted)), rcond=None)
    np.testing.assert_allclose(solved, truth[kept], rtol=1e-6)


def test_gamma_needs_more_than_a_ring_or_powers_of_two() -> None:
    found = plan_experiment("all_reduce", nodes=8, ranks_per_node=8)
    by_name = {one.name: one for one in found.models}
    assert "gamma" in by_name["ring"].unidentified
    assert found.together.unidentified == ()
    assert found.together.condition < 100
    assert found.algorithms == ("native", *ALGORITHMS["all_reduce"])
    for one in plan_experiment("all_reduce", nodes=1, ranks_per_node=2).models:
        assert one.identified == ("overhead", "beta")


def test_what_has_no_named_algorithm_is_refused() -> None:
    with pytest.raises(CaseError, match="design: found broadcast, expected one of all_reduce"):
        plan_experiment("broadcast", 2, 2)
    with pytest.raises(CaseError, match="found 1 rank in all, expected at least 2"):
        plan_experiment("all_reduce", 1, 1)


def test_a_design_is_run_as_it_says_and_resumed(shell: Any, tmp_path: Path) -> None:
    done = shell("collcast design all_to_all --nodes 1 --ranks-per-node 2 --largest 64 -o d.json")
    assert done.returncode == 0, done.stderr
    assert "--design d.json" in done.stdout
    quick = "--repetitions 3 --warmup 1 --quiet -o run.h5"
    done = shell(f"mpirun -n 2 collcast run --design d.json {quick}")
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    values = json.loads((tmp_path / "d.json").read_text())
    assert values["ranks"] == [2]
    wanted = {
        case
        for algorithm in values["algorithms"]
        for case in sweep(("all_to_all",), values["sizes"], 2, algorithm=algorithm)
    }
    assert {m.case for m in campaign.measurements} == wanted
    assert {m.case.algorithm for m in campaign.measurements} == {"native", "pairwise", "bruck"}
    done = shell("collcast run --resume run.h5 --quiet")
    assert done.returncode == 0, done.stderr
    assert len(read_campaign(tmp_path / "run.h5").measurements) == len(wanted)


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, "", "design: d.json: No such file or directory, expected a file"),
        ("{}", "", "missing required field"),
        ('{"design":2,"collectives":["all_reduce"],"algorithms":["ring"],"ranks":[2],"sizes":"8"}',
         "", "found version 2"),
        ('{"design":1,"collectives":["all_reduce"],"algorithms":["ring"],"ranks":[2],"sizes":"8"}',
         "--ranks 4", "found ranks beside --design"),
        ('{"design":1,"collectives":["all_reduce"],"algorithms":["bruck"],"ranks":[2],"sizes":"8"}',
         "", "algorithm: found bruck for all_reduce"),
    ],
)  # fmt: skip
def test_a_design_that_cannot_be_run_is_refused(
    shell: Any, tmp_path: Path, content: str | None, arguments: str, message: str
) -> None:
    if content is not None:
        (tmp_path / "d.json").write_text(content)
    done = shell(f"collcast run --design d.json {arguments} -o run.h5")
    assert done.returncode == 2
    assert message in done.stderr
