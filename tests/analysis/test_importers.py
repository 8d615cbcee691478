"""Logs in every dialect, made here in the layouts that the programs print."""

# ruff: noqa: E501

from __future__ import annotations

import json
import math
import os
from collections import Counter

import numpy as np
import pytest

from collcast.analysis.importers import read_log
from collcast.bench.errors import ImportFormatError

DEVICES = "".join(
    f"#  Rank {rank:2d} Group  0 Pid {100 + rank:6d} on node-{rank // 2} device  {rank % 2} [00:00] X\n"
    for rank in range(4)
)
SETTINGS = (
    "# nThread 1 nGpus 1 minBytes 8 maxBytes 16 step: 2(factor) warmup iters: 5 iters: 20 agg iters:"
    " 2 validation: 1 graph: 0\n#\n# Using devices\n"
)
HEADING = """#
#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)
"""
ROW = "         {0}           {1}     float     sum      -1  {2}    0.00    0.00       0  {3}    0.00    0.00     {4}\n"
NEW = (
    "# Collective test starting: all_reduce_perf\n"
    + SETTINGS
    + DEVICES
    + HEADING
    + ROW.format(8, 2, "12.34", "13.5", "N/A")
    + ROW.format(16, 4, "12.50", "14.0", "3")
    + "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 0.1\n#\n"
    + "# Collective test concluded: all_reduce_perf\n"
)


def cells(table):
    """Collective, bytes, microseconds of every cell."""
    return [
        (row["collective"], row["message_bytes"], round(row["time_s"] * 1e6, 6))
        for row in map(table.row, range(len(table)))
    ]


def test_nccl_tests_new_layout(read):
    table = read(NEW)
    assert (table.format, table.skipped) == ("nccl-tests", 0)
    assert cells(table) == [
        ("all_reduce", 8, 12.34), ("all_reduce", 8, 13.5),
        ("all_reduce", 16, 12.5), ("all_reduce", 16, 14.0),
    ]  # fmt: skip
    row = table.row(3)
    assert (row["ranks"], row["ranks_per_node"], row["repetitions"]) == (4, 2, 40)
    assert (row["placement"], row["wrong"], table.row(1)["wrong"]) == ("in_place", 3, -1)
    assert (row["transport"], row["memory"], row["dtype"]) == ("nccl", "device", "float32")
    assert (row["operation"], row["mode"], row["statistic"]) == (
        "sum", "throughput", "mean_over_ranks",
    )  # fmt: skip


def test_times_are_the_decimals_of_the_text(read):
    assert read(NEW).time_s[0] == 12.34e-6 == float("12.34e-6")


def test_prefixes_noise_and_several_tests(read):
    text = NEW.replace("16             ", "16 ") + NEW.replace("all_reduce", "all_gather")
    noise = "host:1:2 [0] NCCL INFO Launch mode Parallel\n"
    lines = [line + (noise if "float" in line else "") for line in text.splitlines(keepends=True)]
    for prefix in ("0: ", "[1,0]<stdout>:", "[prterun-a-1@1,0]<stdout>: "):
        tagged = "".join(prefix + part for line in lines for part in line.splitlines(keepends=True))
        table = read(tagged)
        assert Counter(name for name, _, _ in cells(table)) == {"all_reduce": 4, "all_gather": 4}
        assert table.skipped == 4


def test_a_test_without_name_does_not_inherit_one(read):
    nameless = SETTINGS + DEVICES + HEADING + ROW.format(8, 2, "1.0", "2.0", 0)
    last = len((NEW + nameless).splitlines())
    with pytest.raises(ImportFormatError, match=f"line {last}: .*--collective"):
        read(NEW + nameless)
    truncated = NEW.split("# Out of bounds")[0]
    with pytest.raises(ImportFormatError, match="--collective"):
        read(truncated + nameless)
    assert {name for name, _, _ in cells(read(nameless, collective="reduce"))} == {"reduce"}


def test_layouts_without_root_and_with_blank_operation(read):
    old = (
        "#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  error\n"
        "           8             2   float     sum   2193.5    0.00    0.00  2e-07    132.2    0.00    0.00  0e+00\n"
    )
    table = read(old, collective="all_reduce", ranks=16)
    assert cells(table) == [("all_reduce", 8, 2193.5), ("all_reduce", 8, 132.2)]
    assert list(table.wrong) == [-1, -1 if table.wrong[1] < 0 else 0]
    blank = old.replace("     sum", "        ")
    assert cells(read(blank, collective="all_to_all", ranks=8))[0] == ("all_to_all", 8, 2193.5)
    assert read(blank, collective="all_to_all", ranks=8).row(0)["operation"] == ""


def test_per_iteration_and_timestamp_columns(read):
    side = "    time   algbw   busbw  #wrong   i_min   i_max   i_p99   i_cv%"
    text = (
        "#  size  count  type  redop  root" + side + side + "  timestamp\n"
        "   1024    256  float  sum  -1  10.0 0.1 0.2 0 9.0 11.0 10.9 3.1  12.0 0.1 0.2 0 8.0 13.0"
        " 12.9 3.1 2026-01-02 03:04:05\n"
    )
    table = read(text, collective="all_reduce", ranks=2)
    assert table.low_s == pytest.approx([9e-6, 8e-6])
    assert table.high_s == pytest.approx([11e-6, 13e-6])
    assert len(read(text.replace(" 03:04:05", ""), collective="all_reduce", ranks=2)) == 2


def test_cpu_time_is_another_statistic(read):
    measured, busy = read(NEW), read(NEW.replace("    time ", " cputime "))
    assert cells(busy) == cells(measured)
    assert {busy.row(at)["statistic"] for at in range(4)} == {"cpu_mean_over_ranks"}
    content = nccl_json()
    for result in content["results"]:
        result["out_of_place"]["cpu_time"] = result["out_of_place"].pop("time")
    found = read(json.dumps(content), name="a.json")
    assert found.row(0)["statistic"] == "cpu_mean_over_ranks"
    assert {found.row(at)["placement"]: found.row(at)["statistic"] for at in range(2)} == {
        "out_of_place": "cpu_mean_over_ranks",
        "in_place": "mean_over_ranks",
    }


@pytest.mark.parametrize("line", ["rccl-tests: Version develop:ae3e635", "RCCL version : 2.27.7"])
def test_rccl_tests_is_another_library(read, line):
    """It says so without "#", below the settings; a test behind it is nccl-tests' again."""
    table = read(NEW.replace("# Using devices\n", f"{line}\n# Using devices\n") + NEW)
    assert [row["transport"] for row in map(table.row, range(8))] == ["rccl"] * 4 + ["nccl"] * 4
    assert table.skipped == 0


def test_one_placement_and_not_available(read):
    text = NEW.replace("13.5    0.00    0.00     N/A", " N/A     N/A     N/A     N/A")
    assert cells(read(text)) == [
        ("all_reduce", 8, 12.34), ("all_reduce", 16, 12.5), ("all_reduce", 16, 14.0),
    ]  # fmt: skip


def test_what_is_cut_or_joined_is_counted_not_read(read):
    assert len(read(NEW[: NEW.index("14.0") + 2])) == 2  # "14" is not the number
    cut = NEW[: NEW.index("# Out of bounds") - 1]  # its last digit may be missing
    assert (len(read(cut)), read(cut).skipped) == (2, 1)
    joined = NEW.replace("12.50    0.00", "12.50NCCL INFO    0.00")
    assert (len(read(joined)), read(joined).skipped) == (2, 1)
    long = NEW.replace("#\n# Using", "x" * 200_000 + ROW.format(8, 2, "9.9", "9.9", 0) + "# Using")
    assert 9.9 not in {time for _, _, time in cells(read(long))}


def test_an_incomplete_list_of_devices_asks(read):
    text = NEW.replace(DEVICES.splitlines(keepends=True)[1], "")
    with pytest.raises(ImportFormatError, match=r"incomplete list of devices.*--ranks"):
        read(text)
    assert read(text, ranks=4).row(0)["ranks"] == 4


def test_independent_processes_stay_apart(read):
    alone = NEW.replace(DEVICES, DEVICES.splitlines(keepends=True)[0])
    mixed = "".join(f"{rank}: {line}\n" for line in alone.splitlines() for rank in (0, 1))
    table = read(mixed)
    assert len(table) == 8
    assert set(table.ranks.tolist()) == {1}


OSU = """
# OSU MPI All-to-All Personalized Exchange Latency Test v7.4
# Datatype: MPI_CHAR.
# Size         Avg Latency(us)     Min Latency(us)     Max Latency(us)  Iterations  Validation
8                      10.50               9.00               12.00         100        Pass
16                     20.50              19.00               22.00         100        Fail

# OSU MPI-CUDA Allreduce Latency Test v5.8
# Size       Avg Latency(us)
4                     403.64
job.exception: cancelled
"""


def test_osu_sizes_per_peer_are_multiplied(read):
    table = read(OSU, ranks=8)
    assert (table.format, table.skipped) == ("osu", 1)
    assert cells(table) == [
        ("all_to_all", 64, 10.5), ("all_to_all", 128, 20.5), ("all_reduce", 4, 403.64),
    ]  # fmt: skip
    first, second, third = map(table.row, range(3))
    assert (first["low_s"], first["high_s"]) == pytest.approx((9e-6, 12e-6))
    assert (first["wrong"], first["suspect"], second["suspect"]) == (0, "", "validation")
    assert (first["memory"], third["memory"]) == ("host", "")  # accelerated builds do both
    assert (first["dtype"], third["dtype"], first["repetitions"]) == ("int8", "", 100)


def test_osu_without_ranks_asks(read):
    with pytest.raises(ImportFormatError, match=r"line 5.*--ranks"):
        read(OSU)


@pytest.mark.parametrize(
    ("title", "collective", "factor"),
    [
        ("Allgather Latency", "all_gather", 8),
        ("Gather Latency", "gather", 8),
        ("Scatter Latency", "scatter", 8),
        ("Reduce_scatter Latency", "reduce_scatter", 1),
        ("Broadcast Latency", "broadcast", 1),
        ("Reduce Latency", "reduce", 1),
        ("All-to-Allv Personalized Exchange Latency", "all_to_allv", 8),
        ("All-to-Allw Personalized Exchange Persistent Latency", "persistent_all_to_allw", 8),
        ("Non-blocking Reduce_scatter_block Latency", "nonblocking_reduce_scatter_block", 1),
        ("Latency", "pingpong", 1),
    ],
)
def test_osu_titles(read, title, collective, factor):
    text = f"# OSU MPI {title} Test v6.0\n# Size          Latency (us)\n16    3.25\n"
    assert cells(read(text, ranks=8)) == [(collective, 16 * factor, 3.25)]


def test_osu_barrier_bandwidth_nonblocking_and_unknown(read):
    text = (
        "# OSU MPI Barrier Latency Test v7.0\n# Avg Latency(us)\n            4.50\n"
        "# OSU MPI Bandwidth Test v7.0\n# Size      Bandwidth (MB/s)\n1000     250.00\n"
        "# OSU MPI Non-blocking Allreduce Latency Test v7.0\n"
        "# Size         Overall(us)       Compute(us)    Pure Comm.(us)        Overlap(%)\n"
        "64     9.00    4.00    4.25    7.5\n"
        "# OSU MPI Something New Latency Test v9\n# Size       Avg Latency(us)\n4     1.0\n"
    )
    table = read(text, ranks=4)
    assert cells(table) == [
        ("barrier", 0, 4.5), ("unidirectional", 1000, 4.0), ("nonblocking_all_reduce", 64, 4.25),
    ]  # fmt: skip
    assert table.skipped == 1
    assert list(table.suspect) == ["", "", ""]


def test_a_row_without_size_belongs_to_a_barrier_only(read):
    """A heading that lost its lines between: the barrier's time is not an all-to-all's."""
    cut = IMB.replace("256          640", "x").split("# Benchmarking Barrier\n")
    text = "# Benchmarking Alltoall\n" + cut[1]
    assert cells(read(text)) == [("pingpong", 64, 0.4)]
    barrier = "# OSU MPI Allreduce Latency Test v7.0\n# Avg Latency(us)\n            4.50\n"
    with pytest.raises(ImportFormatError, match="expected at least 1"):
        read(barrier, ranks=4)


def test_omb_py(read):
    text = "# OMB Python MPI Allgather Test\n# Size (B)      Latency (us)\n8      2.25\n"
    table = read(text, ranks=3)
    assert (table.format, cells(table)) == ("omb-py", [("all_gather", 24, 2.25)])
    pair = "# OMB-Py MPI Bandwidth Test\n# Size (B)  Bandwidth (MB/s)\n1000    250.00\n"
    assert (read(pair).format, cells(read(pair))) == ("omb-py", [("unidirectional", 1000, 4.0)])


IMB = """
#    Intel(R) MPI Benchmarks 2021.3, MPI-1 part
# MPI_Datatype                   :   MPI_BYTE
# MPI_Datatype for reductions    :   MPI_FLOAT
# MPI_Op                         :   MPI_SUM
#----------------------------------------------------------------
# Benchmarking Alltoall
# #processes = 4
# ( 4 additional processes waiting in MPI_Barrier)
#----------------------------------------------------------------
       #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]
            0         1000         0.05         0.06         0.05
          256         1000         3.00         3.50         3.25
#----------------------------------------------------------------
# Benchmarking Allreduce
# #processes = 2
#----------------------------------------------------------------
       #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]      defects
          256          640         1.00         1.50         1.25         0.00
out-of-mem.; Needed X=    0.5 GB
# Benchmarking Ibcast
# #processes = 2
       #bytes #repetitions t_ovrl[usec] t_pure[usec]  t_CPU[usec]   overlap[%]
           64           10         9.00         4.00         5.00         1.00
# Benchmarking Barrier
# #processes = 2
 #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]
         1000         0.50         0.75         0.60
# Benchmarking PingPong
# #processes = 2
       #bytes #repetitions      t[usec]   Mbytes/sec
           64         1000         0.40       160.00
"""


def test_imb(read):
    table = read(IMB)
    assert (table.format, table.skipped) == ("imb", 1)
    assert cells(table) == [
        ("all_to_all", 0, 0.05), ("all_to_all", 1024, 3.25), ("all_reduce", 256, 1.25),
        ("nonblocking_broadcast", 64, 4.0), ("barrier", 0, 0.6), ("pingpong", 64, 0.4),
    ]  # fmt: skip
    assert list(table.ranks) == [4, 4, 2, 2, 2, 2]
    assert list(table.suspect)[:3] == ["empty", "", ""]
    reduction = table.row(2)
    assert (reduction["dtype"], reduction["operation"]) == ("float32", "sum")
    assert (table.row(1)["dtype"], table.row(1)["operation"]) == ("uint8", "")
    assert (reduction["low_s"], reduction["high_s"]) == pytest.approx((1e-6, 1.5e-6))


def test_param(read):
    text = (
        "[Rank   0] host a, device: cuda, local_rank: 0 world_size: 8, backend: nccl\n"
        "\tCOMMS-RES\t\tsize (B)\t nElementsPerRank\t Latency(us):p50\t p75\t p95\t Min\t Max\n"
        "\tCOMMS-RES-all_reduce-float32\t\t1024\t256\t30.5\t31\t32\t29\t33\t0.1\t0.2\n"
        "\tCOMMS-RES-all_to_all-bfloat16\t\t1024\t256\t40.5\t31\t32\t29\t33\t0.1\t0.2\t40.5\n"
    )
    table = read(text)
    assert (table.format, table.skipped) == ("param", 0)
    assert cells(table) == [("all_reduce", 1024, 30.5), ("all_to_all", 1024, 40.5)]
    row = table.row(1)
    assert (row["ranks"], row["transport"], row["dtype"]) == (8, "nccl", "bfloat16")
    assert (row["low_s"], row["high_s"]) == pytest.approx((29e-6, 33e-6))


def nccl_json(**more):
    side = {"time": 12.5, "alg_bw": 0.1, "bus_bw": 0.2, "nwrong": 0}
    result = {
        "size": 64, "count": 16, "type": "float", "redop": "sum", "root": "-1",
        "out_of_place": side, "in_place": side | {"time": 13.5, "nwrong": "N/A"},
        "out_of_place_per_iter": {"min_us": 11.0, "max_us": 15.0},
    } | more  # fmt: skip
    devices = [{"rank": rank, "group": 0, "hostname": f"n{rank // 2}"} for rank in range(4)]
    config = {"iterations": 20, "aggregated_iterations": 1, "devices": devices}
    args = ["./build/reduce_scatter_perf", "-b", "8"]
    return {"version": 3, "args": args, "config": config, "results": [result]}


def test_nccl_tests_json(read):
    table = read(json.dumps(nccl_json()), name="a.json")
    assert table.format == "nccl-tests-json"
    assert cells(table) == [("reduce_scatter", 64, 12.5), ("reduce_scatter", 64, 13.5)]
    first, second = table.row(0), table.row(1)
    assert (first["ranks"], first["ranks_per_node"], first["repetitions"]) == (4, 2, 20)
    assert (first["wrong"], second["wrong"]) == (0, -1)
    assert first["high_s"] == pytest.approx(15e-6)
    assert math.isnan(second["high_s"])
    with pytest.raises(ImportFormatError, match="expected nccl-tests JSON"):
        read(json.dumps(nccl_json())[:-9], name="a.json")
    assert read(json.dumps(nccl_json() | {"results": [7, nccl_json()["results"][0]]})).skipped == 1


@pytest.mark.parametrize("ranks", [[0], [0, 8], [1, 2], [0, 0]])
def test_nccl_tests_json_that_lists_not_every_rank_asks(read, ranks):
    """A process of 8 GPUs that names its first one only is not one rank."""
    content = nccl_json()
    content["config"] |= {"ngpus": 8, "devices": [{"rank": r, "hostname": "a"} for r in ranks]}
    with pytest.raises(ImportFormatError, match="--ranks"):
        read(json.dumps(content), name="a.json")
    assert read(json.dumps(content), name="a.json", ranks=16).row(0)["ranks"] == 16


def test_tables(read):
    text = (
        "system,collective,backend,ranks,ranks_per_node,bytes,time_us,time_lo_us,time_hi_us\n"
        "alps,allreduce,ccl,4,4,8,13.152,12.0,14.0\n"
        "alps,alltoall,mpi-gpu,4,,8,1.5,,\n"
        "alps,moe_dispatch,my|label,4,,8,1.5,,\n"
        "alps,alltoall,mpi-host,4,,8,nan,,\n"
        "alps,alltoall,mpi-host,4,,eight,1,,\n"
    )
    table = read(text)
    assert (table.format, table.skipped, len(table)) == ("table", 2, 3)
    assert [(r["collective"], r["transport"], r["memory"]) for r in map(table.row, range(3))] == [
        ("all_reduce", "nccl", "device"), ("all_to_all", "mpi", "device"),
        ("moe_dispatch", "my|label", ""),
    ]  # fmt: skip
    assert (table.row(0)["time_s"], table.row(0)["low_s"]) == (13.152e-6, 12e-6)
    assert math.isnan(table.row(1)["low_s"])
    silent = "collective,bytes,time_us\nallreduce,8,1.5\n"
    assert read(silent, ranks=4).row(0)["ranks"] == 4
    with pytest.raises(ImportFormatError, match="expected 'ranks'"):
        read(silent)
    with pytest.raises(ImportFormatError, match="expected 'collective'"):
        read(text.replace(",collective,", ",operation,"), "table")


def test_encodings_and_line_ends(read):
    for encoding in ("utf-8-sig", "utf-16"):
        assert len(read(NEW.encode(encoding))) == 4
    assert len(read(NEW.replace("\n", "\r\n"))) == 4
    assert len(read(NEW.replace("node-0", "n\u00f6de").encode("latin-1"))) == 4


@pytest.mark.parametrize("text", ["", "nothing here\n", "\0\xff\n", "# OSU MPI", "{", "{}"])
def test_what_is_no_log_is_refused(read, text):
    with pytest.raises(ImportFormatError):
        read(text)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.log"):
        with pytest.raises(ImportFormatError, match="expected a readable log"):
            read_log(path)


def test_a_pipe_is_refused_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImportFormatError, match="found no regular file"):
        read_log(tmp_path / "pipe")


def test_columns_are_int64_and_float64(read):
    table = read(NEW)
    assert table.message_bytes.dtype == np.int64
    assert table.time_s.dtype == np.float64
