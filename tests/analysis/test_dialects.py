"""Launchers' prefixes, and tests of a family that are not known: their rows are nobody else's."""

from __future__ import annotations

import pytest

from .test_importers import NEW, cells

OSU_KNOWN = "# OSU MPI Latency Test v7.4\n# Size          Latency (us)\n8    0.25\n"
IMB_KNOWN = (
    "# Benchmarking Allreduce \n# #processes = 2 \n"
    " #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]\n 64 10 1.0 2.0 1.5\n"
)


@pytest.mark.parametrize(
    "prefix",
    [
        "0: ",
        "[1,0]<stdout>:",
        "[prterun-a-1@1,0]<stdout>: ",
        "Wed Nov 25 19:00:00 2026[1,0]<stdout>:",
        "Wed Nov 25 19:00:00 2026<stdout>:",
        "[0] ",
        "2026-01-02T03:04:05.1234567Z ",
        "2026-01-02T03:04:05+01:00 [0] ",
    ],
)
def test_prefixes_of_launchers_are_taken_off(read, prefix):
    table = read("".join(prefix + line for line in NEW.splitlines(keepends=True)))
    assert cells(table) == cells(read(NEW))
    assert table.skipped == 0


def test_prefixes_with_times_still_tell_processes_apart(read):
    """The list of devices of each is its own, though every line has another time."""
    lines = [
        f"2026-01-02T03:04:{second:02d}.5Z [{rank}] {line}\n"
        for second, line in enumerate(NEW.splitlines())
        for rank in (0, 1)
    ]
    assert len(read("".join(lines))) == 8


@pytest.mark.parametrize(
    "title",
    [
        "# OSU MPI_Put Latency Test v7.4\n# Window creation: MPI_Win_allocate",
        "# OSU MPI_Get-CUDA latency Test v5.9",
        "# OSU OpenSHMEM Put Test v7.4",
        "# OSU UPC++ AllGather Latency Test v7.4",
        "# OSU MPI Multi Latency Test v7.4",
        "# OSU MPI Latency Persistent Test v7.4",
        "# OMB Something Else",
    ],
)
def test_a_test_that_osu_has_besides_is_not_the_one_before(read, title):
    table = read(f"{OSU_KNOWN}{title}\n# Size          Latency (us)\n8    9.75\n")
    assert cells(table) == [("pingpong", 8, 0.25)]
    assert table.skipped == 1


def test_a_heading_with_a_column_that_is_not_known_ends_the_one_before(read):
    table = read(OSU_KNOWN + "# Size       Median (us)\n8    9.75\n" + OSU_KNOWN)
    assert cells(table) == [("pingpong", 8, 0.25)] * 2
    assert table.skipped == 1


@pytest.mark.parametrize(
    "title",
    [
        "# Benchmarking Multi-Allreduce \n# ( 2 groups of 2 processes each running simultaneous ) ",
        "# Benchmarking Unidir_Put (aggregate)\n# #processes = 2 ",
    ],
)
def test_a_benchmark_that_imb_has_besides_is_not_the_one_before(read, title):
    again = IMB_KNOWN.partition("\n")[2].partition("\n")[2].replace("1.5", "9.75")
    table = read(f"{IMB_KNOWN}{title}\n{again}")
    assert cells(table) == [("all_reduce", 64, 1.5)]
    assert table.skipped == 1


def test_imb_says_which_rank_a_time_is_of(read):
    pair = (
        "# Benchmarking PingPong \n# #processes = 2 \n"
        " #bytes #repetitions      t[usec]   Mbytes/sec\n 64 10 0.40 160.00\n"
    )
    table = read(IMB_KNOWN + pair)
    assert [table.row(at)["statistic"] for at in range(2)] == ["mean_over_ranks", "max_over_ranks"]


def test_tails_of_osu_bandwidths_are_columns(read):
    text = (
        "# OSU MPI Bandwidth Test v7.4\n# Datatype: MPI_CHAR.\n"
        "# Size          Bandwidth (MB/s)    P50 Tail BW(MB/s)    P99 Tail BW(MB/s)\n"
        "1000                      250.00               260.00               100.00\n"
    )
    assert cells(read(text)) == [("unidirectional", 1000, 4.0)]
