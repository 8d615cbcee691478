"""Where hosts are."""

from __future__ import annotations

from pathlib import Path

import pytest

from collcast.bench.errors import EnvironmentMismatchError
from collcast.bench.topology import Place, expect_hosts, place_of, read_topology


def test_a_file_wins_over_variables(tmp_path: Path) -> None:
    file = tmp_path / "topology.csv"
    file.write_text("host,leaf,pod\nn1,l1,p1\nn2,l2,p1\n", encoding="utf-8")
    places = read_topology(file)
    assert place_of("n2", places, {"COLLCAST_LEAF": "other"}) == Place(leaf="l2", pod="p1")
    assert place_of("n3", places, {"COLLCAST_LEAF": "other"}) == Place(leaf="other")


def test_slurm_names_switches_from_the_top() -> None:
    found = place_of("n7", {}, {"SLURM_TOPOLOGY_ADDR": "core.pod1.leaf3.n7"})
    assert found == Place(leaf="leaf3", pod="pod1")
    assert place_of("n7", {}, {"SLURM_TOPOLOGY_ADDR": "n7"}) == Place()


@pytest.mark.parametrize("text", ["", "host,rack\nn1,r1\n", "leaf\nl1\n"])
def test_other_columns_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "topology.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentMismatchError, match="expected host"):
        read_topology(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMismatchError, match="No such file"):
        read_topology(tmp_path / "none.csv")


def test_a_file_about_other_hosts_is_refused() -> None:
    places = {"n1": Place(leaf="l1")}
    expect_hosts(places, {"n1", "n2"}, Path("t.csv"))
    with pytest.raises(EnvironmentMismatchError, match=r"t\.csv: found none of the hosts a, b, ex"):
        expect_hosts(places, {"b", "a"}, Path("t.csv"))
