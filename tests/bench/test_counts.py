"""Who sends how much to whom: exact totals, the same on every rank, one line for bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collcast.bench.case import Case
from collcast.bench.collectives import receive_elements, region_bytes, send_elements
from collcast.bench.counts import busiest_bytes, counts_of, displacements, parse_counts
from collcast.bench.errors import CaseError
from collcast.bench.sweep import sweep


def uneven(counts: str, elements: int) -> Case:
    return Case(collective="all_to_allv", message_bytes=elements, dtype="int8", counts=counts)


@given(st.integers(1, 40), st.integers(1, 10**6), st.floats(0, 5), st.integers(0, 2**31))
def test_zipf_sends_exactly_the_message_in_the_shares_of_the_law(
    ranks: int, elements: int, exponent: float, seed: int
) -> None:
    counts = counts_of(uneven(f"zipf:{exponent:.6f}:{seed}", elements), ranks)
    assert (counts.sum(axis=1) == elements).all()
    shares = np.arange(1.0, ranks + 1) ** -float(f"{exponent:.6f}")
    wanted = shares / shares.sum() * elements
    assert (counts == counts[0]).all()
    assert np.abs(np.sort(counts[0])[::-1] - wanted).max() <= 1


def test_the_seed_decides_who_is_wanted() -> None:
    places = {int(counts_of(uneven(f"zipf:1.2:{seed}", 1000), 8)[0].argmax()) for seed in range(50)}
    assert places == set(range(8))


def test_uniform_is_all_to_all_and_exponent_0_too() -> None:
    for counts in ("uniform", "zipf:0:3"):
        assert (counts_of(uneven(counts, 400), 4) == 100).all()
        assert busiest_bytes(uneven(counts, 400), 4) == 300


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    """Rank 2 gets nothing, rank 0 sends most."""
    path = tmp_path / "counts.csv"
    path.write_text("# from, to\n4, 8, 0\n1, 1, 0\n2, 2, 0\n")
    return path


def test_a_file_is_scaled_to_the_message_on_average(matrix: Path) -> None:
    counts = parse_counts(str(matrix), 0)
    exact = uneven(counts, 6)  # 18 in all, as in the file
    assert counts_of(exact, 3).tolist() == [[4, 8, 0], [1, 1, 0], [2, 2, 0]]
    assert busiest_bytes(exact, 3) == 10  # rank 1 receives 8 and 2 from the others
    assert [send_elements(exact, 3, rank) for rank in range(3)] == [12, 2, 4]
    assert [receive_elements(exact, 3, rank) for rank in range(3)] == [7, 11, 0]
    assert region_bytes(exact, 3) == 12
    larger = counts_of(uneven(counts, 1001), 3)
    assert larger.sum() == 3003
    assert larger[:, 2].sum() == 0


def test_blocks_lie_one_behind_the_other() -> None:
    assert displacements(np.array([3, 0, 2, 5])).tolist() == [0, 3, 3, 5]


def test_a_changed_file_is_refused(matrix: Path) -> None:
    case = uneven(parse_counts(str(matrix), 0), 60)
    matrix.write_text("1 1 1\n1 1 1\n1 1 1\n")
    with pytest.raises(CaseError, match=r"counts\.csv: found digest .*the file changed"):
        counts_of(case, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3 4\n", "found 2 lines of 2 numbers, expected 3 of 3"),
        ("1 2 3\n1 2\n1 2 3\n", "found 3 lines of 2, 3 numbers"),
        ("", "found 0 lines of no numbers"),
        ("1 2 x\n", "could not convert"),
        ("0 0 0\n0 0 0\n0 0 0\n", "expected numbers >= 0 that are not all 0"),
        ("1 1 1\n1 -1 1\n1 1 1\n", "expected numbers >= 0"),
        ("1 1 1\n1 nan 1\n1 1 1\n", "expected numbers >= 0"),
    ],
)
def test_a_file_that_is_no_matrix_is_one_line(matrix: Path, text: str, message: str) -> None:
    matrix.write_text(text)
    with pytest.raises(CaseError, match=message):
        counts_of(uneven(parse_counts(str(matrix), 0), 60), 3)


@pytest.mark.parametrize("text", ["zipf", "zipf:-1", "zipf:x", "no/such/file", "", "x" * 300])
def test_what_is_no_counts_is_one_line(text: str) -> None:
    with pytest.raises(CaseError, match=f"counts: found '{text}', expected uniform, zipf"):
        parse_counts(text, 0)


def test_only_all_to_allv_has_counts_and_never_in_place() -> None:
    with pytest.raises(CaseError, match=r"case\.counts: found 'zipf:1:0' for all_reduce"):
        Case(collective="all_reduce", message_bytes=8, counts="zipf:1:0")
    with pytest.raises(CaseError, match=r"case\.placement: found in_place for all_to_allv"):
        Case(collective="all_to_allv", message_bytes=8, placement="in_place")
    cases = sweep(("all_reduce", "all_to_allv"), "8,16", 2, counts="zipf:1:0")
    assert {(case.collective, case.counts) for case in cases} == {
        ("all_reduce", "uniform"),
        ("all_to_allv", "zipf:1:0"),
    }
