"""Contents of buffers whose result is known in advance, so that verification needs no tolerance.

Reductions. Element i on rank r of P holds

    sum, min, max   b(i) + w[(r + i) mod P]
    sum of fp8      2^(e(i)) w[(r + i) mod P]
    prod            w[(r + i) mod P] * (m(i) if r == i mod P else 1)
    avg             b(i) + 1 if (r + i) mod P < 2, else 0

with whole numbers so small that every order of summation is exact (all partial sums stay below
2^mantissa, or within the integer; integer products wrap alike in every order; partial products of
floats stay within [1/2, 2] x m). With more ranks than a narrow dtype has room for, fewer contribute
(8 of e4m3, 4 of e5m2; which ones, rotates with i) and b is 0: misplaced elements of a sum then go
unseen, except in fp8. Every rank's weight occurs once per element, so the result does not depend on
the order of ranks:

    sum   P b(i) + sum(w)      min   b(i) + min(w)      max   b(i) + max(w)      prod   m(i) prod(w)
    avg   2 (b(i) + 1) / P, from two ranks; libraries may multiply by 1/P before they add, so floats
          may be 2 ulp off; integers are divided afterwards, towards 0

b is a multiplicative hash of (seed, i), e one of -4 to 3. A contribution that is missing, doubled,
shifted or written elsewhere changes the sum. The idea (exact in every order, a pure function of
seed, index and rank; an average of two ranks) is that of nccl-tests' verifiable.cu; the
construction is ours.

Moves. Element j of what rank s sends to rank d holds the low bits of

    h(seed, j) + s A + d B        A, B odd; d = 0 where all ranks get the same

so that two blocks to or from the same rank differ in every element (up to 2^width ranks).

All of it is array arithmetic by the module that made the array: nothing leaves a device but the
number of wrong elements, the first of them and the largest error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .bits import FLOATS, encode, is_float, ulps
from .case import PAIRS
from .collectives import TABLE, receive_elements
from .counts import counts_of, displacements

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from .case import Case

__all__ = ["EXACT", "Verdict", "fill_send", "poison", "verify"]

_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, odd: Knuth's multiplicative hash
_FROM, _TO = 0xA0761D6478BD642F, 0xE7037ED1A0B428DB  # odd: multiples stay distinct mod 2^k
_TO_THE_NEXT = {"send_recv", *PAIRS}  # of two ranks, the next is the other one
_LARGEST_WEIGHT = 32  # enough to tell neighbours apart, small enough for 7 bits to hold b + w
_MOST_BITS = 40  # of b and m: their product with 2^20 ranks stays within 64 bits
_CHUNK_ELEMENTS = 1 << 18  # bounds the memory that filling and checking need
_SMALL_BITS = 6  # significands below that have no room for b in a sum
_SCALE_BITS = 3  # of e; 16 x 2^3 is within e4m3, and so is 2^-4 as a normal number
_AVERAGE_ULP = 2  # nccl-tests' tolerance for averages of floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verification found on one rank."""

    wrong: int = 0
    """Elements that differ from what they must be; in averages of floats, by more than 2 ulp."""

    first: int = -1
    """Index of the first of them in the receive buffer; -1: none."""

    ulps: float = 0.0
    """Largest error of any element: units in the last place of floats, differences of integers."""

    def __add__(self, other: Verdict) -> Verdict:
        """Return both checks' findings; `first` is of the earlier check that found any."""
        return Verdict(
            wrong=self.wrong + other.wrong,
            first=self.first if self.wrong else other.first,
            ulps=max(self.ulps, other.ulps),
        )


EXACT = Verdict()
"""Nothing wrong."""


def fill_send(case: Case, rank: int, ranks: int, seed: int, out: Any) -> None:
    """Write what `rank` contributes into `out`, an array of the case's dtype (NumPy or CuPy)."""
    xp = _module_of(out)
    for first, last in _chunks(len(out)):
        out[first:last] = _contribution(case, rank, ranks, seed, xp.arange(first, last), xp)


def poison(case: Case, rank: int, ranks: int, seed: int, out: Any) -> None:
    """Fill a receive buffer so that every element differs from what `rank` must hold."""
    xp = _module_of(out)
    unsigned = f"u{case.element_bytes}"
    for first, last in _chunks(len(out)):
        expected = _expected(case, rank, ranks, seed, xp.arange(first, last), xp)
        out[first:last].view(unsigned)[...] = ~expected.view(unsigned)


def verify(case: Case, rank: int, ranks: int, seed: int, received: Any) -> Verdict:
    """Compare `received`, bit by bit, with what `rank` must hold after one operation."""
    xp = _module_of(received)
    unsigned = f"u{case.element_bytes}"
    averaged = case.operation == "avg" and TABLE[case.collective].reduces and is_float(case.dtype)
    verdict = EXACT
    for first, last in _chunks(len(received)):
        expected = _expected(case, rank, ranks, seed, xp.arange(first, last), xp)
        found = received[first:last]
        differ = found.view(unsigned) != expected.view(unsigned)
        if not bool(differ.any()):
            continue
        error = ulps(found, expected, case.dtype, xp)
        if averaged:
            differ = error > _AVERAGE_ULP
        wrong = int(differ.sum())
        place = first + int(differ.argmax()) if wrong else -1
        verdict += Verdict(wrong=wrong, first=place, ulps=float(error.max()))
    return verdict


def _module_of(array: Any) -> ModuleType:
    """NumPy or CuPy, whichever made the array."""
    if isinstance(array, np.ndarray):
        return np
    import cupy

    module: ModuleType = cupy
    return module


def _chunks(elements: int) -> list[tuple[int, int]]:
    return [
        (first, min(first + _CHUNK_ELEMENTS, elements))
        for first in range(0, elements, _CHUNK_ELEMENTS)
    ]


def _hash(index: Any, seed: int, bits: int, xp: ModuleType) -> Any:
    """A hash of (seed, index) of the given number of bits, uint64."""
    if bits == 0:
        return xp.zeros(len(index), xp.uint64)
    mixed = (index.astype(xp.uint64) + xp.uint64(seed + 1)) * xp.uint64(_GOLDEN)
    return mixed >> xp.uint64(64 - bits)


@dataclass(frozen=True, slots=True)
class _Weights:
    table: NDArray[Any]  # w, one entry per rank; int64, float64 for float products
    bits: int  # of b(i) or m(i)


def _weights(case: Case, ranks: int) -> _Weights:
    floating = is_float(case.dtype)
    width = FLOATS[case.dtype].precision if floating else 8 * case.element_bytes - 1
    if case.operation == "prod":
        return _product_weights(ranks, width, floating=floating)
    if case.operation == "avg":
        return _Weights((np.arange(ranks) < 2).astype(np.int64), min(width - 2, _MOST_BITS))
    largest = min(ranks, _LARGEST_WEIGHT)
    if case.operation != "sum":  # b + w must only be representable
        largest = min(largest, 1 << (width - 1))
        return _Weights(1 + np.arange(ranks) % largest, min(width - 2, _MOST_BITS))
    # Sums stay within the dtype: some libraries add small integers with saturation (Open MPI's
    # vector units do), so wrapping is no common ground.
    share = ((1 << width) - 1) // ranks  # what one rank may contribute
    if share < 2:  # more ranks than room: only every stride-th contributes
        stride = -(-ranks // (1 << (width - 1)))
        return _Weights((np.arange(ranks) % stride == 0).astype(np.int64), 0)
    largest = min(largest, share // 2)
    bits = max((share - largest).bit_length() - 1, 0)
    return _Weights(1 + np.arange(ranks) % largest, min(bits, _MOST_BITS))


def _product_weights(ranks: int, width: int, *, floating: bool) -> _Weights:
    if not floating:  # odd factors are invertible modulo 2^k: no product loses information
        return _Weights(1 + 2 * (np.arange(ranks) % 2), min(width - 1, _MOST_BITS))
    table = np.ones(ranks)
    if ranks > 1:
        table[0], table[1] = 2.0, 0.5
    return _Weights(table, min(width - 2, _MOST_BITS))


def _mantissa(case: Case, index: Any, seed: int, bits: int, xp: ModuleType) -> Any:
    """m(i): an odd integer, or a float in [1, 2)."""
    if is_float(case.dtype):
        return 1.0 + _hash(index, seed, bits, xp).astype(xp.float64) / (1 << bits)
    return 2 * _hash(index, seed, bits, xp).astype(xp.int64) + 1


def _scale(case: Case, index: Any, seed: int, xp: ModuleType) -> Any:
    """2^e(i) where a sum has no room for b(i), else 1."""
    if not is_float(case.dtype) or FLOATS[case.dtype].precision >= _SMALL_BITS:
        return 1
    exponent = _hash(index, seed, _SCALE_BITS, xp).astype(xp.int64)
    return (1 << exponent).astype(xp.float64) / (1 << (1 << (_SCALE_BITS - 1)))


def _contribution(case: Case, rank: int, ranks: int, seed: int, index: Any, xp: ModuleType) -> Any:
    if not TABLE[case.collective].reduces:
        return _moved(case, seed, *_sent(case, rank, ranks, index, xp), xp)
    weights = _weights(case, ranks)
    own = xp.asarray(weights.table)[(index + rank) % ranks]
    if case.operation == "prod":
        mantissa = _mantissa(case, index, seed, weights.bits, xp)
        return encode(xp.where(index % ranks == rank, own * mantissa, own), case.dtype, xp)
    base = _hash(index, seed, weights.bits, xp).astype(xp.int64)
    if case.operation == "avg":
        return encode(own * (base + 1), case.dtype, xp)
    if case.operation == "sum":
        return encode((own + base) * _scale(case, index, seed, xp), case.dtype, xp)
    return encode(own + base, case.dtype, xp)


def _expected(case: Case, rank: int, ranks: int, seed: int, index: Any, xp: ModuleType) -> Any:
    if not TABLE[case.collective].reduces:
        return _moved(case, seed, *_received(case, rank, ranks, index, xp), xp)
    if TABLE[case.collective].receives_block:
        index = index + rank * receive_elements(case, ranks, rank)
    weights = _weights(case, ranks)
    table = weights.table
    if case.operation == "prod":
        product = _mantissa(case, index, seed, weights.bits, xp) * table.prod()
        return encode(product, case.dtype, xp)
    base = _hash(index, seed, weights.bits, xp).astype(xp.int64)
    if case.operation == "avg":
        total = int(table.sum()) * (base + 1)
        return encode(total / ranks if is_float(case.dtype) else total // ranks, case.dtype, xp)
    if case.operation == "sum":
        total = ranks * base + int(table.sum())
        return encode(total * _scale(case, index, seed, xp), case.dtype, xp)
    extreme = int(table.min() if case.operation == "min" else table.max())
    return encode(base + extreme, case.dtype, xp)


def _sent(case: Case, rank: int, ranks: int, index: Any, xp: ModuleType) -> tuple[Any, Any, Any]:
    """(j, s, d) of the elements that a rank sends; see the head of this file."""
    if case.collective == "all_to_all":
        per_peer = case.elements // ranks
        return index % per_peer, rank, index // per_peer
    if case.collective == "all_to_allv":
        within, target = _blocks(counts_of(case, ranks)[rank], index, xp)
        return within, rank, target
    if case.collective in _TO_THE_NEXT:
        return index, rank, (rank + 1) % ranks
    return index, rank, 0


def _received(
    case: Case, rank: int, ranks: int, index: Any, xp: ModuleType
) -> tuple[Any, Any, Any]:
    """(j, s, d) of the elements that a rank receives."""
    per_peer = max(case.elements // ranks, 1)
    if case.collective == "all_to_all":
        return index % per_peer, index // per_peer, rank
    if case.collective == "all_to_allv":
        within, source = _blocks(counts_of(case, ranks)[:, rank], index, xp)
        return within, source, rank
    if case.collective == "all_gather":
        return index % per_peer, index // per_peer, 0
    if case.collective in _TO_THE_NEXT:
        return index, (rank - 1) % ranks, rank
    if case.collective == "copy":
        return index, rank, 0
    return index, case.root, 0


def _blocks(counts: NDArray[np.int64], index: Any, xp: ModuleType) -> tuple[Any, Any]:
    """Place within its block, and number of the block, of elements of a buffer."""
    begins = xp.asarray(displacements(counts))
    block = xp.searchsorted(begins, index, side="right") - 1
    return index - begins[block], block


def _moved(case: Case, seed: int, index: Any, source: Any, target: Any, xp: ModuleType) -> Any:
    bits = _hash(index, seed, 64, xp) + _times(source, _FROM, xp) + _times(target, _TO, xp)
    return bits.astype(f"u{case.element_bytes}").view(case.storage_dtype)


def _times(rank: Any, factor: int, xp: ModuleType) -> Any:
    """Ranks, one or an array, times a factor modulo 2^64."""
    if isinstance(rank, int):
        return xp.uint64(rank * factor % 2**64)
    return rank.astype(xp.uint64) * xp.uint64(factor)
