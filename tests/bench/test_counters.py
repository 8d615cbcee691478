"""Network counters, from a file system made up: what is found, how it differs, what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from collcast.bench.counters import Counters

if TYPE_CHECKING:
    from pathlib import Path

NETSTAT = """TcpExt: SyncookiesSent TCPTimeouts TCPOFOQueue
TcpExt: 9 {timeouts} 4
IpExt: InNoRoutes InCEPkts
IpExt: 0 77
"""


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One InfiniBand port, one Ethernet device, loopback, one Slingshot device, TCP."""
    port = "sys/class/infiniband/mlx5_0/ports/1"
    put(tmp_path, f"{port}/counters/port_xmit_wait", "5\n")
    put(tmp_path, f"{port}/counters/symbol_error", "N/A (no PMA)\n")
    put(tmp_path, f"{port}/hw_counters/np_ecn_marked_roce_packets", "100\n")
    put(tmp_path, f"{port}/hw_counters/out_of_sequence", "18446744073709551610\n")
    put(tmp_path, f"{port}/hw_counters/lifespan", "10\n")
    put(tmp_path, "sys/class/net/eth0/statistics/rx_dropped", "1\n")
    put(tmp_path, "sys/class/net/eth0/device/vendor", "0x15b3\n")
    put(tmp_path, "sys/class/net/lo/statistics/rx_packets", "1\n")
    telemetry = "sys/class/cxi/cxi0/device/telemetry"
    put(tmp_path, f"{telemetry}/hni_rx_paused_0", "12@1700000000.123456789\n")
    put(tmp_path, f"{telemetry}/hni_sts_tx_ok_64", "12@1700000000.123456789\n")
    put(tmp_path, "proc/net/netstat", NETSTAT.format(timeouts=3))
    put(tmp_path, "proc/net/snmp", "Tcp: RtoMin RetransSegs\nTcp: 200 8\n")
    return tmp_path


def test_every_kind_of_counter_is_found_and_settings_are_not(root: Path) -> None:
    assert Counters(root).read() == {
        "mlx5_0/1/port_xmit_wait": 5,
        "mlx5_0/1/np_ecn_marked_roce_packets": 100,
        "mlx5_0/1/out_of_sequence": 18446744073709551610,
        "eth0/rx_dropped": 1,
        "cxi0/hni_rx_paused_0": 12,
        "tcp/TCPTimeouts": 3,
        "tcp/TCPOFOQueue": 4,
        "tcp/InCEPkts": 77,
        "tcp/RetransSegs": 8,
    }


def test_a_device_that_goes_away_is_left_out(root: Path) -> None:
    counters = Counters(root)
    (root / "sys/class/net/eth0/statistics/rx_dropped").unlink()
    assert "eth0/rx_dropped" not in counters.read()


def test_a_machine_without_any_has_none(tmp_path: Path) -> None:
    assert Counters(tmp_path).read() == {}
