"""Plain tables: what is read, what is refused, what cannot be believed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from collcast.analysis.series import read_many, read_rows
from collcast.bench.errors import CaseError

HEADING = "system,collective,backend,ranks,ranks_per_node,bytes,time_us,time_lo_us,time_hi_us"
COLLECTIVES = Path(os.environ.get("COLLCAST_DATA", "nowhere")) / "collectives"


@pytest.fixture
def table(tmp_path):
    def write(*lines: str, heading: str = HEADING) -> Path:
        path = tmp_path / "table.csv"
        path.write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
        return path

    return write


def test_a_row_is_read(table):
    (row,) = read_rows(table("alps,allreduce,ccl,8,4,1024,12.5,11,14"))
    assert (row.key.system, row.key.collective, row.key.transport) == ("alps", "all_reduce", "ccl")
    assert (row.ranks, row.hosts, row.message_bytes) == (8, 2, 1024)
    assert row.median_s == pytest.approx(12.5e-6)
    assert row.spread == pytest.approx(np.log(12.5 / 11))
    assert row.fit_for_fitting


@pytest.mark.parametrize("low", ["", "0", "13", "nan"])
def test_a_fifth_percentile_that_is_none_gives_no_spread(table, low):
    (row,) = read_rows(table(f"alps,allreduce,ccl,8,4,1024,12.5,{low},14"))
    assert np.isnan(row.spread)


def test_systems_are_series_of_their_own(table):
    rows = read_rows(table("a,allreduce,x,8,4,64,1,,", "b,allreduce,x,8,4,64,1,,"))
    assert len(rows.series()) == 2


def test_the_same_place_twice_is_two_launches(table):
    (row,) = read_rows(table("a,allreduce,x,8,4,64,1,,", "a,allreduce,x,8,4,64,3,,"))
    assert row.launches == 2
    assert row.median_s == pytest.approx(2e-6)
    assert row.launch_sd == pytest.approx(np.log([1, 3]).std(ddof=1))


@pytest.mark.parametrize("time", ["", "nan", "-1", "0", "inf", "fast"])
def test_no_time_is_not_fitted(table, time):
    (row,) = read_rows(table(f"a,allreduce,x,8,4,64,{time},,"))
    assert not row.fit_for_fitting


def test_faster_than_any_link_is_suspect(table):
    possible, not_possible = read_rows(
        table("a,allreduce,x,8,4,1073741824,1000,,", "a,allreduce,x,16,4,1073741824,0.5,,")
    )
    assert possible.suspect == ""
    assert not_possible.suspect == "physics"
    assert not not_possible.fit_for_fitting


@pytest.mark.parametrize(
    ("line", "named"),
    [("a,allreduce,x,,4,64,1,,", "ranks"), ("a,allreduce,x,8,4,6.5,1,,", "bytes")],
)
def test_what_is_no_number_is_refused(table, line, named):
    with pytest.raises(CaseError, match=rf"line 2: {named}: found .*, expected a whole number"):
        read_rows(table(line))


def test_a_missing_column_is_named(table):
    with pytest.raises(CaseError, match="no column time_us"):
        read_rows(table("a,allreduce,x,8,64", heading="system,collective,backend,ranks,bytes"))


@pytest.mark.skipif(not COLLECTIVES.is_dir(), reason="COLLCAST_DATA names no folder of tables")
def test_the_impossible_rows_of_the_public_tables_are_found():
    rows = read_many(sorted(COLLECTIVES.glob("*.csv")))
    found = [row for row in rows if row.suspect == "physics"]
    assert len(found) == 24
    assert not any(row.fit_for_fitting for row in found)
    assert {row.key.system for row in found} == {"alps", "leonardo"}
    alps = [row for row in found if row.key.system == "alps"]
    assert all(row.message_bytes >= 1 << 33 and row.median_s < 1e-6 for row in alps)
