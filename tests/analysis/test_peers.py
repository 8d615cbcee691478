"""What peers would have printed: their layout, their statistic, their sizes, read back."""

# ruff: noqa: E501

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.importers import read_log
from collcast.analysis.importers.cells import Given
from collcast.analysis.peers import PEERS, print_as
from collcast.bench.case import Case
from collcast.bench.sample import Campaign, Measurement, Sample

# Verbatim from the programs: nccl-tests 2.17 to 2.19, OSU 7.4 with -f, IMB 2021.
NCCL_HEADING = [
    "#                                                              out-of-place                       in-place          ",
    "#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong ",
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)         ",
]
OSU_HEADING = "# Size         Avg Latency(us)     Min Latency(us)     Max Latency(us)  Iterations"
IMB_HEADING = "       #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]"


@pytest.fixture
def campaign(launch_of):
    """Two ranks of different means, 10 and 30 us at 64 B, and a barrier of 2 and 4 us."""
    launch = launch_of(0, 2)
    empty = np.zeros((0, 2), np.int64)

    def measured(collective, size, first_ns, second_ns, **fields):
        durations = np.array([[first_ns - 500, second_ns], [first_ns + 500, second_ns]])
        start = np.arange(2)[:, None] * 10**6 + np.zeros((1, 2), np.int64)
        return Measurement(
            case=Case(collective=collective, message_bytes=size, **fields),
            sample=Sample(start_ns=start, stop_ns=start + durations),
            warmup=Sample(start_ns=empty, stop_ns=empty),
            launch=0,
            wrong=0,
        )

    return Campaign(
        launches=(launch,),
        measurements=(
            measured("all_to_all", 1024, 20_000, 40_000),
            measured("all_reduce", 128, 12_000, 36_000),
            measured("all_reduce", 64, 10_000, 30_000),
            measured("all_reduce", 64, 14_000, 15_000, placement="in_place"),
            measured("barrier", 0, 2_000, 4_000),
        ),
    )


@pytest.fixture
def read_back(campaign, tmp_path):
    def read(peer):
        lines, _ = print_as(campaign, peer)
        path = tmp_path / f"{peer}.log"
        path.write_text("".join(f"{line}\n" for line in lines))
        table = read_log(path, given=Given(ranks=2))
        assert (table.format, table.skipped) == (peer, 0)
        return [table.row(index) for index in range(len(table))]

    return read


def test_nccl_tests_layout(campaign):
    lines, _ = print_as(campaign, "nccl-tests")
    at = lines.index(NCCL_HEADING[0])
    assert lines[at : at + 3] == NCCL_HEADING
    assert lines[at + 3] == (
        "          64            16     float     sum      -1    20.00    0.00    0.00       0"
        "    14.50    0.00    0.00       0"
    )
    assert lines[at + 4].endswith("       0      N/A     N/A     N/A     N/A")
    assert "# Out of bounds values : 0 OK" in lines
    other = next(line for line in lines if " none " in line)
    assert other.split()[:2] == ["1024", "128"]  # elements per peer


def test_nccl_tests_prints_the_mean_over_ranks_of_the_mean(read_back):
    rows = read_back("nccl-tests")
    found = [(r["collective"], r["message_bytes"], r["placement"]) for r in rows]
    assert found == [
        ("all_reduce", 64, "out_of_place"), ("all_reduce", 64, "in_place"),
        ("all_reduce", 128, "out_of_place"), ("all_to_all", 1024, "out_of_place"),
    ]  # fmt: skip
    assert [r["time_s"] for r in rows] == pytest.approx([20e-6, 14.5e-6, 24e-6, 30e-6])
    assert {(r["ranks"], r["ranks_per_node"], r["repetitions"]) for r in rows} == {(2, 2, 2)}


@pytest.mark.parametrize(("peer", "heading"), [("osu", OSU_HEADING), ("imb", IMB_HEADING)])
def test_osu_and_imb_print_least_and_largest_mean_of_a_rank(campaign, read_back, peer, heading):
    assert heading in print_as(campaign, peer)[0]
    rows = [r for r in read_back(peer) if r["collective"] != "barrier"]
    by_place = {(r["collective"], r["message_bytes"]): r for r in rows}
    assert set(by_place) == {("all_reduce", 64), ("all_reduce", 128), ("all_to_all", 1024)}
    row = by_place["all_reduce", 128]
    assert (row["time_s"], row["low_s"], row["high_s"]) == pytest.approx((24e-6, 12e-6, 36e-6))
    assert row["repetitions"] == 2


@pytest.mark.parametrize("peer", ["osu", "imb"])
def test_their_all_to_all_size_is_per_peer(campaign, peer):
    lines, _ = print_as(campaign, peer)
    words = [line.split() for line in lines]
    assert any(line[:1] == ["512"] for line in words)
    assert not any(line[:1] == ["1024"] for line in words)


@pytest.mark.parametrize("peer", ["osu", "imb"])
def test_their_barrier_has_no_size(read_back, peer):
    (row,) = (r for r in read_back(peer) if r["collective"] == "barrier")
    assert row["time_s"] == pytest.approx(3e-6)


def test_what_a_peer_could_not_have_printed_is_said(campaign):
    _, notes = print_as(campaign, "nccl-tests")
    assert "left out: barrier mpi (nccl-tests has no such test)" in notes
    assert any("latency mode" in note for note in notes)
    assert print_as(campaign, "osu")[1] == []


def test_names_of_peers_are_those_of_importers():
    from collcast.analysis.importers import FORMATS

    assert set(PEERS) <= set(FORMATS)
