"""What counters and readings mean, and how ``show --view counters`` tells it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from collcast.analysis.commands.counter_view import COUNTER_COLUMNS, print_counters
from collcast.analysis.counter import kind_of, signs_of
from collcast.bench.observation import Observation, Reading
from collcast.bench.store import read_campaign


@pytest.mark.parametrize(
    ("counter", "kind"),
    [
        ("mlx5_0/1/np_ecn_marked_roce_packets", "mark"),
        ("mlx5_0/1/rp_cnp_handled", "mark"),
        ("tcp/InCEPkts", "mark"),
        ("mlx5_0/1/rnr_nak_retry_err", "retransmit"),
        ("mlx5_0/1/local_ack_timeout_err", "retransmit"),
        ("mlx5_0/1/roce_adp_retrans", "retransmit"),
        ("tcp/RetransSegs", "retransmit"),
        ("mlx5_0/1/out_of_sequence", "order"),
        ("mlx5_0/1/packet_seq_err", "order"),
        ("tcp/TCPOFOQueue", "order"),
        ("mlx5_0/1/port_xmit_wait", "pause"),
        ("cxi0/hni_rx_paused_0", "pause"),
        ("mlx5_0/1/port_xmit_discards", "drop"),
        ("eth0/rx_dropped", "drop"),
        ("mlx5_0/1/symbol_error", "drop"),
        ("mlx5_0/1/port_xmit_data", ""),
        ("mlx5_0/1/rx_read_requests", ""),
        ("eth0/tx_bytes", ""),
        ("eth0/multicast", ""),
    ],
)
def test_a_counter_s_kind(counter: str, kind: str) -> None:
    assert kind_of(counter) == kind


SEEN = Observation(
    counters={"n1": {"mlx5_0/1/out_of_sequence": 7, "eth0/tx_bytes": 4096}},
    devices={
        "ab": (Reading(throttle=1), Reading(throttle=0x8 | 0x40)),
        "cd": (Reading(), Reading()),
    },
)


def test_signs_name_place_kind_and_number() -> None:
    assert [tuple(sign) for sign in signs_of(SEEN)] == [
        ("n1", "", "eth0/tx_bytes", 4096),
        ("n1", "order", "mlx5_0/1/out_of_sequence", 7),
        ("ab", "throttle", "hardware slowdown", 1),
        ("ab", "throttle", "hardware thermal", 1),
    ]


@pytest.fixture
def campaign(campaign_file):
    whole = read_campaign(campaign_file)
    first, *rest = whole.measurements
    return replace(whole, measurements=(replace(first, observed=SEEN), *rest))


def test_the_table_shows_trouble_only_and_csv_all(campaign, capsys) -> None:
    print_counters(campaign, "table")
    table = capsys.readouterr().out
    assert f"counters rose around 1 of {len(campaign.measurements)} cases" in table
    assert "out_of_sequence" in table
    assert "tx_bytes" not in table
    print_counters(campaign, "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == list(COUNTER_COLUMNS)
    assert [row["count"] for row in rows] == ["4096", "7", "1", "1"]
    print_counters(campaign, "json")
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 4


def test_no_trouble_is_said(campaign, capsys) -> None:
    quiet = replace(
        campaign, measurements=tuple(replace(m, observed=None) for m in campaign.measurements)
    )
    print_counters(quiet, "table")
    assert capsys.readouterr().out.startswith("no marks, retransmits, disorder, pauses, drops")
