"""Skew: texts that mean one pattern, files, delays per rank, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from collcast.bench.errors import CaseError
from collcast.bench.protocol import Protocol
from collcast.bench.sample import default_statistic
from collcast.bench.skew import parse_skew, read_skew

if TYPE_CHECKING:
    from pathlib import Path


def delays_ns(text: str, rank: int, ranks: int, samples: int = 3, seed: int = 0) -> list[int]:
    return parse_skew(text).draw_ns(rank, ranks, samples, np.random.default_rng(seed)).tolist()


def test_linear_ends_at_the_delay() -> None:
    assert [delays_ns("linear:30us", rank, 4, 1)[0] for rank in range(4)] == [
        0, 10_000, 20_000, 30_000,
    ]  # fmt: skip
    assert delays_ns("linear:30us", 0, 1) == [0, 0, 0]


def test_one_rank_is_late() -> None:
    found = [delays_ns("one-late:rank=2,200us", rank, 4) for rank in range(4)]
    assert found == [[0] * 3, [0] * 3, [200_000] * 3, [0] * 3]


def test_uniform_draws_fill_the_range_and_come_from_the_generator() -> None:
    drawn = delays_ns("uniform:50us", 1, 4, 10_000)
    assert 0 <= min(drawn) < 50
    assert 49_950 < max(drawn) <= 50_000
    assert np.mean(drawn) == pytest.approx(25_000, rel=0.03)
    assert drawn == delays_ns("uniform:50us", 1, 4, 10_000)
    assert drawn != delays_ns("uniform:50us", 1, 4, 10_000, seed=1)


@pytest.mark.parametrize("text", ["10us\n0ns\n1.5ms\n", "10us,0ns,1500us", " 10us , 0us,\n\n1.5ms"])
def test_a_file_holds_a_delay_per_rank(tmp_path: Path, text: str) -> None:
    (tmp_path / "late.csv").write_text(text)
    canonical = read_skew(str(tmp_path / "late.csv"))
    assert canonical == "table:10us,0ns,1500us"
    assert [delays_ns(canonical, rank, 3, 1)[0] for rank in range(3)] == [10_000, 0, 1_500_000]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("uniform:0.05ms", "uniform:50us"),
        ("one-late:rank=03,0.2ms", "one-late:rank=3,200us"),
        ("linear:1500ns", "linear:1500ns"),
        ("", ""),
    ],
)
def test_a_pattern_has_one_text(text: str, canonical: str) -> None:
    assert read_skew(text) == canonical
    assert not canonical or str(parse_skew(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("uniform", "found '' in 'uniform', expected a delay such as 50us"),
        ("uniform:50", "found '50' in 'uniform:50'"),
        ("uniform:0us", "found 0ns as largest delay"),
        ("uniform:11s", "found 11s as largest delay in 'uniform:11s', expected 1ns to 10s"),
        ("linear:50us,60us", "found 'linear:50us,60us', expected uniform:50us"),
        ("one-late:200us", "found 'one-late:200us', expected uniform:50us"),
        ("one-late:rank=x,200us", "found 'one-late:rank=x,200us'"),
        ("sometimes:50us", "found 'sometimes:50us', expected uniform:50us"),
        ("no/such/file", "found 'no/such/file', expected uniform:50us"),
    ],
)
def test_what_is_no_pattern_is_refused(text: str, message: str) -> None:
    with pytest.raises(CaseError, match=r"^skew: ") as caught:
        read_skew(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "found no delay"), ("10us\nlate\n", "found 'late'"), ("5us\n" * 9000, "bytes of delays")],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "late.csv"
    path.write_text(text)
    with pytest.raises(CaseError, match=message):
        read_skew(str(path))


def test_a_pattern_must_fit_the_ranks() -> None:
    parse_skew("one-late:rank=3,1us").check(4)
    with pytest.raises(CaseError, match="found rank 3 on 3 ranks"):
        parse_skew("one-late:rank=3,1us").check(3)
    with pytest.raises(CaseError, match="found 2 delays, expected 3, one per rank"):
        parse_skew("table:1us,2us").check(3)


def test_a_protocol_holds_a_pattern_only_and_does_not_count_waiting() -> None:
    with pytest.raises(CaseError, match="skew: found 'late'"):
        Protocol(skew="late")
    assert default_statistic(Protocol(skew="linear:1us")) == "after_last_arrival"
    assert default_statistic(Protocol()) == "local_max"
