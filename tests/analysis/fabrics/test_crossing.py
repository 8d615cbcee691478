"""One tier further than was measured: a domain from collectives, pairs beyond it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.conditional import Conditional
from collcast.analysis.dataset import Dataset
from collcast.analysis.extrapolate import Extrapolator, supported_ranks
from collcast.analysis.fabrics.crossing import crossing_fabric
from collcast.analysis.fabrics.load import load_fabric
from collcast.analysis.fabrics.write import to_toml
from collcast.analysis.fit import fit
from collcast.analysis.series import read_rows
from collcast.bench.cli import main
from collcast.bench.errors import CaseError

PAIR_LATENCY_S, PAIR_SHARE = 5e-6, 0.97
"""Of a pair over NICs: end to end via a leaf, and of the line rate (MRC, arXiv:2605.04333)."""


def pairs_of(row, nic_bytes_per_s):
    """What two ranks of different domains get alone."""
    key = replace(row.key, collective="send_recv")
    return [
        replace(row, key=key, ranks=2, hosts=2, message_bytes=n, low_s=np.nan, high_s=np.nan,
                median_s=PAIR_LATENCY_S + n / (PAIR_SHARE * nic_bytes_per_s))
        for n in (8, 1 << 30)
    ]  # fmt: skip


def inside_of(rows_of, domain=8):
    """Collectives in a domain of 8: a ring's bus rate is 400 GB/s, an all-to-all's 300."""
    key, rows = rows_of("ring", scales=(2, 4, 8), sizes=(8, 1 << 20, 1 << 30), noise=0)
    reduced = [
        replace(row, median_s=4e-6 + row.bus_bytes / 400e9, low_s=np.nan, high_s=np.nan)
        for row in rows
        if row.ranks <= domain
    ]
    exchanged = [
        replace(row, key=replace(key, collective="all_to_all"), low_s=np.nan, high_s=np.nan,
                median_s=4e-6 + row.message_bytes * (row.ranks - 1) / row.ranks / 300e9)
        for row in rows
    ]  # fmt: skip
    return [*reduced, *exchanged]


def test_figures_are_those_of_the_measurements(rows_of, tmp_path):
    rows = inside_of(rows_of)
    found = crossing_fabric("mine", rows, pairs_of(rows[0], 50e9), 8, 1024, "run.h5")
    domain, network = found.tiers
    assert domain.rate.value == pytest.approx(400e9, rel=0.01)
    assert domain.efficiency["exchange"].value == pytest.approx(1.0, rel=0.01)
    assert domain.efficiency["all_to_all"].value == pytest.approx(0.75, rel=0.01)
    assert domain.latency.value == pytest.approx(4e-6 / 3, rel=0.01)
    assert network.rate.value == pytest.approx(0.97 * 50e9, rel=0.01)
    assert network.latency.value == pytest.approx(PAIR_LATENCY_S, rel=0.01)
    assert network.efficiency["all_to_all"].status == "assumed"
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(found), encoding="utf-8")
    assert load_fabric(path).figures() == found.figures()


def test_one_size_that_was_held_up_is_not_the_efficiency(rows_of):
    rows = [
        replace(row, median_s=1e4 * row.median_s) if row.message_bytes == 1 << 30 else row
        for row in inside_of(rows_of)
    ]
    domain = crossing_fabric("mine", rows, pairs_of(rows[0], 50e9), 8, 1024, "run.h5").tiers[0]
    assert domain.efficiency["exchange"].value > 0.3  # at 1 MiB


def test_what_was_measured_is_not_called_assumed(rows_of):
    rows = inside_of(rows_of)
    found = crossing_fabric("mine", rows, pairs_of(rows[0], 50e9), 8, 1024, "run.h5")
    key = rows[0].key
    series = Dataset(tuple(row for row in rows if row.key == key))
    extrapolator = Extrapolator(fit=fit(key, series, bootstraps=0), fabric=found)
    (forecast,) = extrapolator.predict([512], [1 << 30])
    assert (forecast.status, forecast.assumed_tiers) == ("conditional", ("network",))


def test_of_all_pairs_those_across_count(rows_of):
    rows = inside_of(rows_of)
    across = pairs_of(rows[0], 50e9)
    within = [replace(row, hosts=1, median_s=row.median_s / 8) for row in across]
    found = crossing_fabric("mine", rows, [*within, *across], 8, 1024, "run.h5")
    assert found.tiers[1].rate.value == pytest.approx(0.97 * 50e9, rel=0.01)


def test_what_is_missing_is_named(rows_of):
    rows = inside_of(rows_of)
    pairs = pairs_of(rows[0], 50e9)
    for arguments, named in (
        ((rows, pairs, 8, 8), "--domain, --endpoints: found 8 of 8"),
        (([], pairs, 8, 64), "run.h5: found no collective inside the domain"),
        ((pairs, pairs, 8, 64), "run.h5: found no collective inside the domain"),
        ((rows, rows, 8, 64), "run.h5: found no pair of ranks across domains"),
    ):
        with pytest.raises(CaseError, match=named):
            crossing_fabric("mine", *arguments, "run.h5")


def test_hosts_that_exchange_more_than_nics_carry_lie_in_one_domain(rows_of):
    """Nothing of the network was crossed, though several hosts took part."""
    beta = 1 / 900e9
    fields = {"scales": (4, 8, 16, 32, 64), "per_host": 4, "noise": 0.0}
    fast = fit(*rows_of("ring", values=(3e-6, 1e-6, beta, 0.0), **fields), bootstraps=0)
    slow = fit(*rows_of("ring", values=(3e-6, 1e-6, 10 * beta, 0.0), **fields), bootstraps=0)
    assert supported_ranks(fast) == 64
    assert supported_ranks(slow) == np.inf
    (beyond,) = Extrapolator(fit=fast).predict([128], [1 << 30])
    assert beyond.status == "unsupported"


@pytest.mark.parametrize(
    ("system", "domain", "inside", "nic_bytes_per_s", "cells"),
    [
        # Ranks of an NVLink or xGMI domain; those that the table has inside; the data sheet's NIC.
        ("OCI-GB200", 72, 64, 50e9, 8),
        ("OCI-GB300", 72, 64, 100e9, 4),
        ("OCI-B300", 8, 8, 100e9, 3),
        ("OCI-MI355X-Pollara", 8, 8, 50e9, 8),
    ],
)
def test_four_machines_are_covered_across_the_boundary(
    validation_data, system, domain, inside, nic_bytes_per_s, cells
):
    """Trained inside the domain and on a pair: conditional, and each true time in its interval."""
    rows = [
        row for row in read_rows(validation_data / "collectives/oci-gpu.csv")
        if row.key.system == system
    ]  # fmt: skip
    known = [row for row in rows if row.ranks <= inside]
    fabric = crossing_fabric(
        "oci", known, pairs_of(rows[0], nic_bytes_per_s), domain, 1024, "oci-gpu.csv"
    )
    beyond = [row for row in rows if row.ranks > inside]
    assert len(beyond) == cells
    for row in beyond:
        series = Dataset(tuple(one for one in known if one.key == row.key))
        extrapolator = Extrapolator(fit=fit(row.key, series, bootstraps=0), fabric=fabric)
        (found,) = extrapolator.predict([row.ranks], [row.message_bytes])
        assert found.status == "conditional"
        assert "network" in found.assumed_tiers
        assert found.low90_us <= row.median_s * 1e6 <= found.high90_us
        assert found.high90_us < 10 * found.low90_us


def test_the_cliff_between_racks_is_foreseen(validation_data):
    """GB300, 16 GiB to everybody: 25 ms in a rack, 358 ms across two; a fit would go on at 26."""
    rows = [
        row for row in read_rows(validation_data / "collectives/oci-gpu.csv")
        if (row.key.system, row.key.collective) == ("OCI-GB300", "all_to_all")
    ]  # fmt: skip
    known = [row for row in rows if row.ranks <= 64]
    fabric = crossing_fabric("gb300", known, pairs_of(rows[0], 100e9), 72, 1024, "oci-gpu.csv")
    one = Conditional(collective="all_to_all", fabric=fabric, draws=2000)
    within, across = (one.at(ranks, [1 << 34])[0].times_s[0] for ranks in (64, 128))
    assert within == pytest.approx(25.4e-3, rel=0.2)
    assert across > 4 * within


def test_the_command_fills_a_fabric_from_two_files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    heading = "system,collective,backend,ranks,ranks_per_node,bytes,time_us"
    (tmp_path / "rack.csv").write_text(
        f"{heading}\nm,allreduce,nccl,8,8,1073741824,4697.6\nm,alltoall,nccl,8,8,1073741824,3131.7\n"
    )
    (tmp_path / "pairs.csv").write_text(
        f"{heading}\nm,sendrecv,nccl,2,1,8,5\nm,sendrecv,nccl,2,1,1073741824,21475\n"
    )

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["fabric", "new", "mine", *arguments])
        return ended.value.code, capsys.readouterr()

    files = ("--campaign", "rack.csv", "--pairs", "pairs.csv")
    status, said = run(*files, "--domain", "8", "--endpoints", "512")
    assert (status, said.out) == (0, "mine.toml: domain 8, network 512\n")
    found = load_fabric(tmp_path / "mine.toml")
    assert [tier.rate.value / 1e9 for tier in found.tiers] == pytest.approx([400, 50], rel=0.01)
    assert found.tiers[0].efficiency["all_to_all"].value == pytest.approx(0.75, rel=0.01)
    status, said = run(*files, "--domain", "8", "--force")
    assert status == 2
    assert "--domain, --endpoints: found 8 of 0 ranks" in said.err
    status, said = run("--pairs", "pairs.csv", "--force")
    assert status == 2
    assert "--pairs: found no --campaign" in said.err
