"""Verification: exact for every dtype and operation, and blind to no planted fault."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collcast.bench.bits import FLOATS
from collcast.bench.buffers import BufferPool, pointer_of
from collcast.bench.case import BYTES_PER_ELEMENT, OPERATIONS, Case
from collcast.bench.counts import counts_of
from collcast.bench.pattern import fill_send, poison, verify

ml_dtypes = pytest.importorskip("ml_dtypes")
NATIVE = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}
COMBINE = {"sum": np.add, "prod": np.multiply, "min": np.minimum, "max": np.maximum}
dtypes = st.sampled_from(sorted(BYTES_PER_ELEMENT))
NARROW = ["int8", "bfloat16", "float8_e4m3", "float8_e5m2"]


def count_wrong(*asked: Any) -> int:
    return verify(*asked).wrong


def contributions(case: Case, ranks: int, seed: int) -> list[Any]:
    """What every rank sends, as numbers that NumPy can combine in the dtype itself."""
    sends = [np.zeros(case.elements, case.storage_dtype) for _ in range(ranks)]
    for rank, send in enumerate(sends):
        fill_send(case, rank, ranks, seed, send)
    return [send.view(NATIVE.get(case.dtype, case.dtype)) for send in sends]


def combined(case: Case, sends: list[Any]) -> Any:
    """The reduction in the dtype itself, as a buffer holds it; an average is divided at the end."""
    with np.errstate(over="ignore"):  # integers wrap; floats never overflow, or bits would differ
        if case.operation != "avg":
            return reduce(COMBINE[case.operation], sends).view(case.storage_dtype)
        total = reduce(np.add, sends)
    if case.dtype in FLOATS:
        average = total.astype(np.float64) / len(sends)
        return average.astype(total.dtype).view(case.storage_dtype)
    return (total // len(sends)).astype(case.dtype)


def exchanged(case: Case, sends: list[Any]) -> list[Any]:
    """What all-to-all must deliver, by slicing."""
    ranks = len(sends)
    size = case.elements // ranks
    return [
        np.concatenate([send[rank * size : (rank + 1) * size] for send in sends])
        for rank in range(ranks)
    ]


def reducing(dtype: str = "float32", operation: str = "sum", elements: int = 64) -> Case:
    size = elements * BYTES_PER_ELEMENT[dtype]
    return Case(collective="all_reduce", message_bytes=size, dtype=dtype, operation=operation)


@given(dtypes, st.sampled_from(OPERATIONS), st.integers(1, 40), st.integers(1, 70), st.randoms())
def test_every_order_of_reduction_gives_the_expected_bits(
    dtype: str, operation: str, ranks: int, elements: int, random: Any
) -> None:
    """Combine in a random order, in the dtype itself: no element may differ in any bit."""
    case = reducing(dtype, operation, elements)
    sends = contributions(case, ranks, seed=3)
    random.shuffle(sends)
    assert verify(case, 0, ranks, 3, combined(case, sends)).wrong == 0


@given(st.sampled_from(sorted(FLOATS)), st.integers(1, 60), st.integers(1, 70))
def test_an_average_may_be_multiplied_first(dtype: str, ranks: int, elements: int) -> None:
    """NCCL multiplies every contribution by 1/P in the dtype before it adds: within 2 ulp."""
    case = reducing(dtype, "avg", elements)
    sends = contributions(case, ranks, seed=5)
    kind = sends[0].dtype.type
    result = reduce(np.add, [send * kind(1 / ranks) for send in sends])
    verdict = verify(case, 0, ranks, 5, result.view(case.storage_dtype))
    assert verdict.wrong == 0
    assert verdict.ulps <= 2


@pytest.mark.parametrize("ranks", [300, 5000])
@pytest.mark.parametrize("dtype", ["float16", "float32", *NARROW])
def test_sums_stay_exact_with_more_ranks_than_the_mantissa_has_room_for(
    dtype: str, ranks: int
) -> None:
    case = reducing(dtype, elements=16)
    assert verify(case, 0, ranks, 0, combined(case, contributions(case, ranks, seed=0))).wrong == 0


@pytest.mark.parametrize(("dtype", "most"), [("float8_e4m3", 8), ("float8_e5m2", 4)])
def test_few_ranks_contribute_to_an_element_of_fp8_and_all_in_turn(dtype: str, most: int) -> None:
    case = reducing(dtype, elements=256)
    given = np.array([send.astype(np.float32) for send in contributions(case, 40, seed=0)])
    assert (given > 0).sum(axis=0).max() <= most
    assert (given > 0).any(axis=1).all()


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_sums_tell_places_apart_as_far_as_they_can(dtype: str) -> None:
    """A result shifted by one element: of fp8, an eighth has the same scale on both places."""
    case = reducing(dtype, elements=1024)
    result = combined(case, contributions(case, 3, seed=0))
    assert count_wrong(case, 0, 3, 0, np.roll(result, 1)) > 800


@given(dtypes, st.integers(1, 9), st.integers(1, 20))
def test_all_to_all_delivers_what_is_expected(dtype: str, ranks: int, per_peer: int) -> None:
    size = ranks * per_peer * BYTES_PER_ELEMENT[dtype]
    case = Case(collective="all_to_all", message_bytes=size, dtype=dtype)
    for rank, received in enumerate(exchanged(case, contributions(case, ranks, seed=1))):
        assert count_wrong(case, rank, ranks, 1, received) == 0


@given(dtypes, st.integers(1, 9), st.integers(1, 50), st.sampled_from(["uniform", "zipf:1.2:4"]))
def test_all_to_allv_delivers_what_is_expected(
    dtype: str, ranks: int, elements: int, counts: str
) -> None:
    """Every block, empty ones too, one behind the other in the order of senders."""
    size = elements * BYTES_PER_ELEMENT[dtype]
    case = Case(collective="all_to_allv", message_bytes=size, dtype=dtype, counts=counts)
    matrix = counts_of(case, ranks)
    pool = BufferPool(ranks * size, "host")
    blocks = []
    for rank in range(ranks):
        send = pool.buffers(case, rank, ranks).send
        fill_send(case, rank, ranks, 1, send)
        blocks.append(np.split(send.copy(), np.cumsum(matrix[rank])[:-1]))
    for rank in range(ranks):
        received = np.concatenate([blocks[source][rank] for source in range(ranks)])
        assert len(received) == len(pool.buffers(case, rank, ranks).receive)
        assert count_wrong(case, rank, ranks, 1, received) == 0
        if len(received) and ranks > 1:
            assert count_wrong(case, (rank + 1) % ranks, ranks, 1, received) > 0


@pytest.mark.parametrize("dtype", sorted(BYTES_PER_ELEMENT))
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_one_flipped_bit_is_one_wrong_element(dtype: str, bit: int) -> None:
    case = reducing(dtype)
    result = combined(case, contributions(case, 4, seed=0))
    result.view(np.uint8)[17] ^= 1 << bit
    found = verify(case, 0, 4, 0, result)
    assert (found.wrong, found.first) == (1, 17 // case.element_bytes)
    assert found.ulps >= 1


@pytest.mark.parametrize("dtype", sorted(BYTES_PER_ELEMENT))
@pytest.mark.parametrize("steps", [1, 5])
def test_the_error_is_told_in_units_of_the_last_place(dtype: str, steps: int) -> None:
    case = reducing(dtype, "max")
    result = combined(case, contributions(case, 3, seed=0))
    result.view(f"u{case.element_bytes}")[[9, 20]] += np.array([steps, 1], f"u{case.element_bytes}")
    found = verify(case, 0, 3, 0, result)
    assert (found.wrong, found.first, found.ulps) == (2, 9, steps)


def test_an_average_is_wrong_from_three_ulp_on() -> None:
    case = reducing("float32", "avg")
    result = combined(case, contributions(case, 3, seed=0))
    result.view("u4")[7] += np.uint32(2)
    assert verify(case, 0, 3, 0, result).wrong == 0
    result.view("u4")[8] += np.uint32(3)
    found = verify(case, 0, 3, 0, result)
    assert (found.wrong, found.first, found.ulps) == (1, 8, 3)


@pytest.mark.parametrize("dtype", sorted(BYTES_PER_ELEMENT))
@pytest.mark.parametrize("operation", ["sum", "prod"])
@pytest.mark.parametrize("twice", [0, 1, 2, 3])
def test_a_contribution_counted_twice_is_found(dtype: str, operation: str, twice: int) -> None:
    """Sums differ everywhere; products of floats only where the rank's factor is not 1."""
    case = reducing(dtype, operation)
    sends = contributions(case, 4, seed=0)
    result = combined(case, [*sends, sends[twice]])
    everywhere = operation == "sum"
    wrong = count_wrong(case, 0, 4, 0, result)
    assert wrong == case.elements if everywhere else wrong > 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64", *NARROW])
def test_a_missing_contribution_is_found_everywhere(dtype: str) -> None:
    """Of e5m2 with four ranks, too: each has room for 1."""
    case = reducing(dtype)
    result = combined(case, contributions(case, 4, seed=0)[1:])
    assert count_wrong(case, 0, 4, 0, result) == case.elements


@pytest.mark.parametrize("dtype", ["int32", "float32", *NARROW])
def test_a_missing_contribution_to_an_average_is_found_where_it_counted(dtype: str) -> None:
    """Two of four ranks count per element."""
    case = reducing(dtype, "avg")
    sends = contributions(case, 4, seed=0)
    result = combined(case, [*sends[1:], sends[0] * 0])
    assert count_wrong(case, 0, 4, 0, result) >= case.elements // 2 - 8


@pytest.mark.parametrize("operation", ["min", "max"])
def test_the_extreme_of_all_ranks_but_one_is_found(operation: str) -> None:
    """Every rank holds the extreme of some element, so none can be left out unseen."""
    case = reducing(operation=operation)
    sends = contributions(case, 4, seed=0)
    for left_out in range(4):
        rest = [send for rank, send in enumerate(sends) if rank != left_out]
        assert count_wrong(case, 0, 4, 0, reduce(COMBINE[operation], rest)) > 0


@pytest.mark.parametrize("dtype", sorted(BYTES_PER_ELEMENT))
def test_two_swapped_blocks_are_wrong_in_every_element(dtype: str) -> None:
    """Swapped by source on one receiver, and swapped between two receivers."""
    case = Case(collective="all_to_all", message_bytes=64 * 4 * 8, dtype=dtype)
    size = case.elements // 4
    received = exchanged(case, contributions(case, 4, seed=0))
    by_source = np.concatenate(
        [received[0][size : 2 * size], received[0][:size], received[0][2 * size :]]
    )
    assert count_wrong(case, 0, 4, 0, by_source) == 2 * size
    assert count_wrong(case, 1, 4, 0, received[2]) == case.elements


@pytest.mark.parametrize("collective", ["all_reduce", "all_to_all"])
@pytest.mark.parametrize("placement", ["in_place", "out_of_place"])
@pytest.mark.parametrize("dtype", sorted(BYTES_PER_ELEMENT))
def test_an_unwritten_output_is_found(collective: str, placement: str, dtype: str) -> None:
    """The receive buffer as `prepare` left it, without any communication."""
    case = Case(collective=collective, message_bytes=1024, dtype=dtype, placement=placement)
    buffers = BufferPool(1024, "host").buffers(case, 1, 4)
    buffers.prepare(case, 1, 4, 0)
    right = case.elements - buffers.verify(case, 1, 4, 0).wrong
    own_block = case.elements // 4  # in place, the block to oneself is already where it belongs
    allowed = {"all_to_all": own_block, "all_reduce": case.elements // 50}[collective]
    assert right <= (allowed if placement == "in_place" else 0)


@pytest.mark.parametrize("dtype", sorted(BYTES_PER_ELEMENT))
def test_every_element_of_poison_is_wrong(dtype: str) -> None:
    case = reducing(dtype, elements=4096)
    result = np.zeros(4096, case.storage_dtype)
    poison(case, 0, 2, 0, result)
    assert count_wrong(case, 0, 2, 0, result) == 4096


@pytest.mark.parametrize("ranks", [128, 200, 1024])
def test_small_integers_tell_places_apart_on_many_ranks(ranks: int) -> None:
    """A minimum shifted by one element is wrong nearly everywhere."""
    case = reducing("int8", "min", 1024)
    result = reduce(np.minimum, contributions(case, ranks, seed=0))
    assert count_wrong(case, 0, ranks, 0, result) == 0
    assert count_wrong(case, 0, ranks, 0, np.roll(result, 1)) > 900


@pytest.mark.parametrize("ranks", [2, 9, 64, 127, 200])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_sums_of_small_integers_never_leave_the_dtype(dtype: str, ranks: int) -> None:
    """A library that saturates instead of wrapping gives the same result."""
    case = reducing(dtype, elements=256)
    sends = contributions(case, ranks, seed=0)
    exact = np.sum([send.astype(np.int64) for send in sends], axis=0)
    assert exact.max() <= np.iinfo(dtype).max
    assert min(int(send.min()) for send in sends) >= 0


def test_the_largest_chunk_boundary_is_seamless() -> None:
    """Elements on both sides of the chunk that bounds memory are checked."""
    case = reducing(elements=(1 << 18) + 3)
    result = reduce(np.add, contributions(case, 2, seed=0))
    assert count_wrong(case, 0, 2, 0, result) == 0
    result[1 << 18] += 1
    result[(1 << 18) - 1] += 1
    assert count_wrong(case, 0, 2, 0, result) == 2


def test_buffers_are_page_aligned_and_disjoint_or_one() -> None:
    pool = BufferPool(8192, "host")
    apart = pool.buffers(Case(collective="all_reduce", message_bytes=8192), 0, 2)
    assert pointer_of(apart.send) % 4096 == pointer_of(apart.receive) % 4096 == 0
    assert abs(pointer_of(apart.send) - pointer_of(apart.receive)) >= 8192
    one = pool.buffers(Case(collective="all_reduce", message_bytes=8, placement="in_place"), 0, 2)
    assert pointer_of(one.send) == pointer_of(one.receive)
    assert one.in_place
    assert one.send.shape == (2,)
