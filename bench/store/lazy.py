"""Samples that stay in their file: decoded whenever somebody looks, so that memory stays bounded.

Every case is decoded, and thereby checked, once when a campaign is read. Its stamps are kept as
long as all that are kept take less than `_KEPT_BYTES`; later cases are decoded again at each use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..sample import Measurement, Sample
from .schema import CASES
from .walk import raise_problem, read_entry, walk

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Keeper", "StoredSample"]

_KEPT_BYTES = 1 << 28  # 256 MiB: ordinary campaigns whole, and far below what a login node has
_SAMPLES = ("sample", "warmup", "verified")


class StoredSample(Sample):
    """A sample whose stamps are read from the file at each use."""

    __slots__ = ("_load", "_shape")

    _load: Callable[[], Sample]
    _shape: tuple[int, int]

    def __init__(self, sample: Sample, load: Callable[[], Sample]) -> None:
        for name, value in (
            ("batch", sample.batch),
            ("_load", load),
            ("_shape", sample.start_ns.shape),
        ):
            object.__setattr__(self, name, value)

    @property
    def start_ns(self) -> NDArray[np.int64]:
        """Shape (repetition, rank): just before the operation was called."""
        return self._load().start_ns

    @property
    def stop_ns(self) -> NDArray[np.int64]:
        """Shape (repetition, rank): when it was complete on that rank."""
        return self._load().stop_ns

    @property
    def device_ns(self) -> NDArray[np.int64] | None:
        """Shape (repetition, rank): time between two events on the device's stream, or None."""
        return self._load().device_ns

    @property
    def repetitions(self) -> int:
        """Number of repetitions."""
        return self._shape[0]

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return self._shape[1]


class Keeper:
    """Keeps the stamps of the first cases of one campaign, and lets those of later ones go."""

    def __init__(self, path: Path, identity: bytes) -> None:
        self._path, self._identity = path, identity
        self._left_bytes = _KEPT_BYTES

    def keep(self, measurement: Measurement, number: int) -> Measurement:
        """Return the case of that number as it is, or with samples that stay in the file."""
        held = {name: getattr(measurement, name) for name in _SAMPLES}
        held = {name: sample for name, sample in held.items() if sample is not None}
        self._left_bytes -= sum(map(_stamps_bytes, held.values()))
        if self._left_bytes >= 0:
            return measurement
        load = partial(_read_sample, self._path, self._identity, number)
        stored: dict[str, Any] = {
            name: StoredSample(sample, partial(load, name)) for name, sample in held.items()
        }
        return replace(measurement, **stored)


def _stamps_bytes(sample: Sample) -> int:
    arrays = sample.start_ns, sample.stop_ns, sample.device_ns
    return sum(array.nbytes for array in arrays if array is not None)


def _read_sample(path: Path, identity: bytes, number: int, name: str) -> Sample:
    found: Sample = getattr(_read_case(path, identity, number), name)
    return found


@lru_cache(maxsize=1)  # starts, stops and warm-up of one case are mostly asked for together
def _read_case(path: Path, identity: bytes, number: int) -> Measurement:
    """Return one case of a campaign.

    Raises
    ------
    StoreError
        If the file was replaced or damaged since the campaign was read.
    """
    for source in walk(path, raise_problem, only=number):
        if source.root.identity == identity and source.node.has_entry(CASES, str(number)):
            found = read_entry(source.node, CASES, number).value
            assert isinstance(found, Measurement)
            return found
    raise StoreError(
        f"{path}: {CASES}/{number}: found another campaign than was read, expected no change"
    )
