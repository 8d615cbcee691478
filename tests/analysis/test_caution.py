"""A series that should not be believed as it is gets one line that names it and what it needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.dataset import Dataset
from collcast.analysis.fit import fit

SIZES = (8, 1024, 1 << 15, 1 << 20)


def cautions(key, rows):
    return fit(key, rows, bootstraps=0).cautions


def test_a_sound_series_gets_none(rows_of):
    assert cautions(*rows_of("ring", sizes=SIZES)) == ()
    assert cautions(*rows_of("pairwise", sizes=SIZES)) == ()
    assert cautions(*rows_of("ring", sizes=SIZES, scales=(2, 4, 8, 64, 512))) == ()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"sizes": (8, 1024)}, "found 2 sizes (8, 1024 bytes), expected at least 3"),
        ({"scales": (2, 4, 8), "sizes": SIZES}, "found 3 numbers of ranks, expected at least 5"),
    ],
)
def test_too_little_to_check_a_fit(rows_of, fields, named):
    key, rows = rows_of("ring", **fields)
    (line,) = cautions(key, rows)
    assert line.startswith(f"{key}: ")
    assert named in line


def test_times_that_are_none(rows_of):
    key, rows = rows_of("ring", sizes=SIZES)
    spoiled = [replace(row, median_s=value) for row, value in
               zip(rows.rows[:3], (np.nan, 0.0, -1.0), strict=True)]  # fmt: skip
    found = fit(key, Dataset((*spoiled, *rows.rows[3:])), bootstraps=0)
    assert found.cautions == (f"{key}: found 3 rows without a positive time, which are left out",)
    assert found.dropped == {"no time": 3}
    assert found.cells == len(rows) - 3


@pytest.mark.parametrize("slip", [1e3, 1e-3])
def test_mixed_units(rows_of, slip):
    key, rows = rows_of("ring", sizes=SIZES)
    mixed = [replace(row, median_s=row.median_s * (slip if row.ranks > 8 else 1)) for row in rows]
    (line,) = cautions(key, Dataset(tuple(mixed)))
    assert "found times at 16 ranks" in line
    assert "s, ms and us mixed?" in line


def test_two_systems_in_one_series(rows_of):
    from collcast.analysis.summary import summarise

    def pooled(ratio):
        key, rows = rows_of("ring", sizes=SIZES)
        both = []
        for row in rows:
            found = summarise([np.array([row.median_s]), np.array([ratio * row.median_s])])
            both.append(replace(row, median_s=found.median_s, low_s=found.low_s,
                                high_s=found.high_s, launches=2))  # fmt: skip
        return cautions(key, Dataset(tuple(both)))

    (line,) = pooled(7.0)
    assert "launches of the same places x7.0 apart" in line
    assert "--system" in line
    assert pooled(1.3) == ()


def test_the_commands_say_it(tmp_path, capsys, monkeypatch):
    from collcast.bench.cli import main

    monkeypatch.chdir(tmp_path)
    lines = [f"allreduce,mpi,{p},{n},{3 + 2 * p}" for p in (2, 4, 8) for n in (8, 16)]
    (tmp_path / "two.csv").write_text(
        "\n".join(["collective,backend,ranks,bytes,time_us", *lines, "allreduce,mpi,,8,1"]),
        encoding="utf-8",
    )

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return ended.value.code, capsys.readouterr()

    assert "1 other lines skipped" in run("import", "two.csv", "-o", "two.h5")[1].out
    for command in (("fit", "two.h5"), ("extrapolate", "two.h5", "--ranks", "6")):
        status, captured = run(*command)
        assert status == 0
        assert "caution: all_reduce" in captured.out
        assert "found 2 sizes (8, 16 bytes), expected at least 3" in captured.out
