"""Every row of the published logs and tables, where they are at hand."""

from __future__ import annotations

from collections import Counter

import pytest

from collcast.analysis.importers import read_log
from collcast.analysis.importers.cells import Given

DATA_ROWS = {
    "nccl-tests/superbench-nccl_allreduce.log": (68, "all_reduce"),
    "nccl-tests/superbench-nccl_alltoall.log": (68, "all_to_all"),
    "nccl-tests/superbench-nccl_broadcast.log": (68, "broadcast"),
    "nccl-tests/superbench-nccl_reducescatter.log": (68, "reduce_scatter"),
    "nccl-tests/v2.17.8-nccl_N10_G8.log": (100, ""),
    "nccl-tests/old-layout-roce-perf-k8s.txt": (58, "all_reduce"),
    "nccl-tests/aws-readme-srun-l.txt": (58, "all_reduce"),
    "osu/v5.8-24576ranks-flux-outlier.out": (19, ""),
    "osu/v5.8-MPI-CUDA-flux-256ranks-with-noise.out": (19, ""),
}
"""Cells: rows of digits, counted by grep, times the placements."""


@pytest.mark.parametrize("name", DATA_ROWS)
def test_every_row_of_the_validation_logs(validation_data, name):
    path = validation_data / "logs" / name
    expected, collective = DATA_ROWS[name]
    table = read_log(path, given=Given(ranks=256, collective=collective))
    assert len(table) == expected
    numbers = {word for line in path.read_text().splitlines() for word in line.split()}
    printed = {float(word) for word in numbers if word.replace(".", "", 1).isdigit()}
    assert {round(time * 1e6, 6) for time in table.time_s.tolist()} <= printed


def test_every_row_of_the_validation_tables(validation_data):
    marked = Counter()
    for path in sorted((validation_data / "collectives").glob("*.csv")):
        table = read_log(path)
        assert len(table) == len(path.read_text().splitlines()) - 1, path.name
        assert table.skipped == 0
        marked[path.name] = list(table.suspect).count("physics")
    assert {name: count for name, count in marked.items() if count} == {
        "gpu-interconnects-sc24.csv": 24
    }


def test_all_logs_of_the_validation_data_are_named_here(validation_data):
    logs = validation_data / "logs"
    found = {str(path.relative_to(logs)) for path in logs.rglob("*") if path.is_file()}
    assert found == set(DATA_ROWS)
