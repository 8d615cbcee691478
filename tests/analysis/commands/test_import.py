"""Import, export, compare and the views of show, as a user meets them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from collcast.bench.cli import main
from collcast.bench.sample import Campaign
from collcast.bench.store import read_campaign, write_campaign

TABLE = """system,collective,backend,ranks,ranks_per_node,bytes,time_us,time_lo_us,time_hi_us
alps,allreduce,ccl,4,4,8,13.152,12.09,14.1
alps,allreduce,ccl,4,4,8589934592,0.512,,
alps,alltoall,my|label,4,,64,0.1,,
alps,alltoall,my|label,two,,64,0.1,,
"""
OSU = "# OSU MPI Allreduce Latency Test v7.4\n# Size       Avg Latency(us)\n4        2.50\n"


@pytest.fixture
def collcast(capsys, tmp_path, monkeypatch):
    """Run a command line in an empty folder: status, output, errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "osu.log").write_text(OSU)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def two_sides(tmp_path, launch_of, measurement_of):
    """Write a.h5 and b.h5: several launches each, B slower by a factor."""

    def write(factor, launches=5):
        for name, scale in (("a.h5", 1.0), ("b.h5", factor)):
            started = tuple(launch_of(number, 2) for number in range(launches))
            measurements = tuple(
                measurement_of(one, [1e-4 * scale * (1 + 0.001 * one.number)] * 30)
                for one in started
            )
            campaign = Campaign(launches=started, measurements=measurements)
            write_campaign(tmp_path / name, campaign)

    return write


def test_import_counts_what_it_found(collcast, tmp_path):
    status, out, _ = collcast("import", "table.csv", "-o", "a.h5")
    assert status == 0
    assert out == (
        "table.csv: table, 3 cells, 1 faster than any link (suspect: physics), "
        "1 other lines skipped\n"
    )
    (table,) = read_campaign(tmp_path / "a.h5").imported
    assert (table.source, table.skipped, len(table.digest)) == ("table.csv", 1, 64)


def test_one_rank_that_was_not_measured_is_not_forecast(collcast):
    assert collcast("import", "table.csv", "-o", "t.h5")[0] == 0
    status, out, err = collcast("extrapolate", "t.h5", "--ranks", "1,8")
    assert (status, out) == (2, "")
    assert "--ranks: found 1, expected 2 or more: no all_reduce was measured on 1" in err


def test_import_appends_and_does_not_overwrite(collcast, tmp_path):
    assert collcast("import", "table.csv", "-o", "a.h5")[0] == 0
    status, _, err = collcast("import", "osu.log", "-o", "a.h5", "--ranks", "4")
    assert (status, err.count("\n")) == (2, 1)
    assert collcast("import", "osu.log", "-o", "a.h5", "--ranks", "4", "--append")[0] == 0
    assert len(read_campaign(tmp_path / "a.h5").imported) == 2
    assert collcast("import", "osu.log", "-o", "a.h5", "--ranks", "4", "--force")[0] == 0
    assert len(read_campaign(tmp_path / "a.h5").imported) == 1
    assert collcast("check", "a.h5")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("osu.log",), "--ranks"),
        (("none.log",), "No such file"),
        (("table.csv", "--format", "osu"), "expected at least 1"),
        (("table.csv", "--column", "speed=x"), "speed=x"),
        (("table.csv", "--column", "bytes=size"), "'size'"),
        (("table.csv", "--append", "--force"), "--append"),
        (("table.csv", "--fabric", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(collcast, tmp_path, arguments, named):
    status, out, err = collcast("import", *arguments, "-o", "a.h5")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert named in err
    assert not (tmp_path / "a.h5").exists()


def test_import_works_without_the_extra_and_parquet_says_what_it_needs(collcast, monkeypatch):
    from collcast.analysis.commands import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert collcast("import", "table.csv", "-o", "a.h5")[0] == 0
    assert collcast("show", "a.h5")[0] == 0
    for arguments in (
        ("import", "x.parquet", "-o", "b.h5"),
        ("export", "a.h5", "--format", "parquet", "-o", "a.parquet"),
        ("compare", "a.h5", "a.h5"),
    ):
        status, _, err = collcast(*arguments)
        assert (status, err.count("\n")) == (2, 1)
        assert "pip install" in err


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_export_and_import_come_round(collcast, tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    collcast("import", "table.csv", "-o", "a.h5")
    assert collcast("export", "a.h5", "--format", form, "-o", f"b.{form}")[0] == 0
    assert collcast("import", f"b.{form}", "-o", "b.h5")[0] == 0
    first, second = (read_campaign(tmp_path / name).imported[0] for name in ("a.h5", "b.h5"))
    assert [str(second.row(at)) for at in range(3)] == [str(first.row(at)) for at in range(3)]
    assert collcast("export", "a.h5", "--format", form, "-o", f"b.{form}")[0] == 2


def test_names_that_are_no_text_are_names_all_the_same(collcast, tmp_path):
    odd = "a\udcff"
    (tmp_path / f"{odd}.csv").write_bytes((tmp_path / "table.csv").read_bytes())
    assert collcast("import", f"{odd}.csv", "-o", f"{odd}.h5")[0] == 0
    assert read_campaign(tmp_path / f"{odd}.h5").imported[0].source == "a\\xff.csv"
    status, _, err = collcast("show", f"no{odd}.h5")
    assert (status, err.count("\n")) == (2, 1)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(40) + b"PAR1", b"a,b\n1,2\n"])
def test_what_is_no_parquet_is_one_line(collcast, tmp_path, content):
    pytest.importorskip("pyarrow")
    (tmp_path / "x.parquet").write_bytes(content)
    status, out, err = collcast("import", "x.parquet", "-o", "x.h5")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "expected Parquet" in err


def test_parquet_of_another_program_has_types_of_its_own(collcast, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "collective": pa.array(["allreduce", "alltoall", None]).dictionary_encode(),
        "ranks": pa.array([4.0, 8.0, 8.0]),
        "bytes": pa.array([8, 16, 16], pa.int32()),
        "time_us": pa.array([1.5, 2.25, 3.0], pa.float32()),
    }
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert "2 cells" in collcast("import", "x.parquet", "-o", "x.h5")[1]
    (table,) = read_campaign(tmp_path / "x.h5").imported
    assert [table.row(at)["ranks"] for at in range(2)] == [4, 8]
    assert [table.row(at)["time_s"] for at in range(2)] == [1.5e-6, 2.25e-6]
    assert table.skipped == 1
    missing = pa.table(columns).drop_columns(["bytes"])
    parquet.write_table(missing, tmp_path / "y.parquet")
    status, _, err = collcast("import", "y.parquet", "-o", "y.h5")
    assert (status, "expected 'bytes'" in err) == (2, True)


def test_export_writes_the_numbers_of_the_table(collcast, tmp_path):
    collcast("import", "table.csv", "-o", "a.h5")
    collcast("export", "a.h5", "--format", "csv", "-o", "b.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "b.csv").read_text())))
    assert [row["time_us"] for row in rows] == ["13.152", "0.512", "0.1"]
    assert [row["suspect"] for row in rows] == ["", "physics", ""]
    assert rows[0]["time_lo_us"] == "12.09"


def test_measured_cases_export_their_medians(collcast, campaign_file):
    collcast("export", campaign_file, "--format", "csv", "-o", "b.csv")
    assert collcast("import", "b.csv", "-o", "b.h5")[0] == 0
    measured = json.loads(collcast("show", campaign_file, "--format", "json")[1])["rows"]
    imported = json.loads(collcast("show", "b.h5", "--format", "json")[1])["rows"]
    assert sorted(row["median_us"] for row in imported) == pytest.approx(
        sorted(row["median_us"] for row in measured)
    )
    assert sum("copy" in row["suspect"] for row in imported) == 10  # labels are not lost


def test_compare_exits_by_verdict(collcast, two_sides):
    for factor, launches, expected, verdict in (
        (1.0, 5, 0, "SAME"), (1.2, 5, 1, "SLOWER"), (0.8, 5, 0, "FASTER"), (3.0, 1, 4, "AMBIGUOUS"),
    ):  # fmt: skip
        two_sides(factor, launches)
        status, out, _ = collcast("compare", "a.h5", "b.h5")
        assert (status, f"1 {verdict}" in out) == (expected, True)


def test_compare_with_a_baseline(collcast, two_sides, tmp_path):
    two_sides(1.5, 40)
    (tmp_path / "a.h5").rename(tmp_path / "history.h5")
    two_sides(1.5, 1)
    assert collcast("compare", "a.h5", "b.h5", "--baseline", "history.h5")[0] == 1
    assert collcast("compare", "b.h5", "--baseline", "history.h5")[0] == 1
    assert collcast("compare", "a.h5", "--baseline", "history.h5")[0] in {0, 4}


def test_a_single_launch_needs_many_known_ones(collcast, two_sides, tmp_path):
    two_sides(1.5, 5)
    (tmp_path / "a.h5").rename(tmp_path / "history.h5")
    assert collcast("compare", "b.h5", "--baseline", "history.h5")[0] == 1
    two_sides(1.5, 1)
    status, out, _ = collcast("compare", "b.h5", "--baseline", "history.h5")
    assert (status, "chance alone explains" in out) == (4, True)


def test_compare_formats_and_mistakes(collcast, two_sides):
    two_sides(1.2)
    rows = list(
        csv.DictReader(io.StringIO(collcast("compare", "a.h5", "b.h5", "--format", "csv")[1]))
    )
    assert float(rows[0]["ratio"]) == pytest.approx(1.2, rel=1e-3)
    content = json.loads(collcast("compare", "a.h5", "b.h5", "--format", "json")[1])
    assert content["verdicts"] == {"SLOWER": 1}
    collcast("import", "table.csv", "-o", "c.h5")
    for arguments in (("a.h5",), ("a.h5", "c.h5"), ("a.h5", "none.h5")):
        status, _, err = collcast("compare", *arguments)
        assert (status, err.count("\n")) == (2, 1)


def test_show_filters(collcast, campaign_file):
    options = ("--collective", "all_reduce", "--ranks", "2,4", "--sizes", "8:1K", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(collcast("show", campaign_file, *options)[1])))
    assert [(row["ranks"], row["message_bytes"]) for row in rows] == [
        ("2", "8"), ("2", "256"), ("4", "8"), ("4", "256"),
    ]  # fmt: skip
    assert (
        collcast("show", campaign_file, "--transport", "nccl", "--format", "csv")[1].count("\n")
        == 1
    )


def test_a_filter_that_nothing_passes_is_told(collcast, campaign_file):
    status, out, err = collcast("show", campaign_file, "--collective", "all_redcue")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "let through, expected at least 1; it has all_reduce" in err
    collcast("import", "table.csv", "-o", "a.h5")
    assert collcast("show", "a.h5", "--sizes", "7")[0] == 2
    assert collcast("show", "a.h5", "--sizes", "8")[0] == 0


def test_show_percentiles(collcast, campaign_file):
    options = ("--percentiles", "0,50,100", "--format", "json")
    for row in json.loads(collcast("show", campaign_file, *options)[1])["rows"]:
        assert row["p0_us"] <= row["p50_us"] <= row["p100_us"]
        assert row["p50_us"] == pytest.approx(row["median_us"])
    assert collcast("show", campaign_file, "--percentiles", "101")[0] == 2


def test_show_ranks_and_stamps(collcast, campaign_file):
    chosen = ("--collective", "all_reduce", "--ranks", "4", "--sizes", "8")
    out = collcast("show", campaign_file, *chosen, "--per-rank", "--format", "csv")[1]
    ranks = list(csv.DictReader(io.StringIO(out)))
    assert [row["rank"] for row in ranks] == ["0", "1", "2", "3"]
    assert sum(float(row["last_share"]) for row in ranks) == pytest.approx(1)
    stamps = list(csv.DictReader(io.StringIO(collcast("show", campaign_file, *chosen, "--raw")[1])))
    assert len(stamps) == 4 * 20
    assert int(stamps[0]["stop_ns"]) > int(stamps[0]["start_ns"])
    assert "node-a" in collcast("show", campaign_file, *chosen, "--per-rank")[1]


@pytest.mark.parametrize("peer", ["nccl-tests", "osu", "imb"])
def test_show_as_a_peer_is_read_by_its_importer(collcast, campaign_file, tmp_path, peer):
    chosen = ("--ranks", "4")
    _, out, err = collcast("show", campaign_file, *chosen, "--as", peer)
    (tmp_path / "peer.log").write_text(out)
    status, said, _ = collcast("import", "peer.log", "-o", "p.h5", "--ranks", "4")
    assert (status, said) == (
        0,
        f"peer.log: {peer}, {said.split()[2]} cells, 0 other lines skipped\n",
    )
    assert ("latency mode" in err) == (peer == "nccl-tests")


def test_show_as_refuses_what_has_no_samples(collcast):
    collcast("import", "table.csv", "-o", "a.h5")
    assert collcast("show", "a.h5", "--as", "osu")[0] == 2
    assert collcast("show", "a.h5", "--as", "osu", "--raw")[0] == 2


def test_imported_rows_are_shown_in_order(collcast):
    collcast("import", "table.csv", "-o", "a.h5")
    out = collcast("show", "a.h5", "--format", "csv")[1]
    rows = list(csv.DictReader(io.StringIO(out)))
    places = [(row["collective"], row["transport"], int(row["message_bytes"])) for row in rows]
    assert places == sorted(places)
    assert rows[1]["suspect"] == "physics"


def test_imported_tables_alone_can_be_drawn_and_reported(collcast, tmp_path):
    assert collcast("import", "table.csv", "--format", "table", "-o", "a.h5")[0] == 0
    assert collcast("plot", "a.h5", "-o", "a.png")[0] == 0
    assert collcast("report", "a.h5", "-o", "a.html")[0] == 0
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "imported from table.csv, collcast" in page
