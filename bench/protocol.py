"""Protocol: how a case is measured, as a pure value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import CaseError
from .skew import parse_skew

__all__ = [
    "METRICS",
    "MODES",
    "REGISTRATIONS",
    "STATISTICS",
    "STOPPINGS",
    "SYNCHRONISATIONS",
    "WARMINGS",
    "Protocol",
]

MODES = ("latency", "throughput", "graph")
"""``latency``: one operation per sample. ``throughput``: `batch` operations queued back to back per
sample, one completion; a sample's time is (stop - start) / batch. ``graph``: the same captured in a
CUDA graph. They are never mixed."""

METRICS = ("host", "device")
"""``host``: from the call to the completed wait, by the host's clock. ``device``: from an open gate
to completion, by events on the device; the launch is hidden. Latency only, and never mixed."""

REGISTRATIONS = ("none", "buffer", "window")
"""Whether NCCL knows the buffers beforehand: not at all, registered, or as symmetric windows."""

SYNCHRONISATIONS = ("barrier", "window", "none")
"""How ranks start a sample: after a barrier, at a time of a common clock, or as they come."""

STOPPINGS = ("fixed", "precision")
"""A number of samples; or until the median within this launch is known well enough."""

WARMINGS = ("fixed", "steady")
"""A number of samples; or until they get no faster."""


STATISTICS = ("local_max", "makespan", "after_last_arrival", "device")
"""Names of the statistics of one repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How samples are taken. The same for every case of a launch."""

    mode: str = "latency"
    """One of `MODES`."""

    metric: str = "host"
    """One of `METRICS`."""

    registration: str = "none"
    """One of `REGISTRATIONS`."""

    staging_chunk_bytes: int = 0
    """Size of the chunks in which staged messages are copied, in bytes; 0: whole."""

    synchronisation: str = "barrier"
    """One of `SYNCHRONISATIONS`."""

    stopping: str = "fixed"
    """One of `STOPPINGS`."""

    repetitions: int = 100
    """Samples per case and rank, warm-up not counted; with ``precision``, the most."""

    least_repetitions: int = 100
    """Fewer samples are never enough for ``precision``."""

    precision: float = 0.01
    """Half-width of the 95 % interval of the median, over the median, that is enough."""

    budget_s: float = 1.0
    """Time per case after which ``precision`` gives up, in seconds."""

    warming: str = "fixed"
    """One of `WARMINGS`."""

    warmup: int = 10
    """Samples before those that count, recorded apart; with ``steady``, the most."""

    batch: int = 1
    """k: operations per sample; 1 for ``latency``."""

    seed: int = 0
    """Seed of the buffers' contents, of the order of the cases and of what skew draws."""

    pair_rounds: bool = False
    """Whether disjoint pairs of ranks are measured at the same time, a round of a tournament."""

    skew: str = ""
    """How late ranks arrive on purpose, as `skew.parse_skew` reads it; "" for not at all."""

    verify_share: float = 0.0
    """So many operations more per sample are run between the timed ones and verified; they count
    in no statistic. 0 in ``throughput``, whose operations cannot be told apart."""

    def __post_init__(self) -> None:
        for field, expected in (
            ("mode", MODES),
            ("metric", METRICS),
            ("registration", REGISTRATIONS),
            ("synchronisation", SYNCHRONISATIONS),
            ("stopping", STOPPINGS),
            ("warming", WARMINGS),
        ):
            found = getattr(self, field)
            if found not in expected:
                raise CaseError(
                    f"protocol.{field}: found {found!r}, expected one of {', '.join(expected)}"
                )
        for field, least in (
            ("repetitions", 1),
            ("least_repetitions", 1),
            ("warmup", 0),
            ("batch", 1),
            ("seed", 0),
            ("staging_chunk_bytes", 0),
        ):
            if getattr(self, field) < least:
                raise CaseError(
                    f"protocol.{field}: found {getattr(self, field)}, expected at least {least}"
                )
        for field in ("precision", "budget_s"):
            if not 0 < getattr(self, field) < math.inf:
                raise CaseError(
                    f"protocol.{field}: found {getattr(self, field)}, expected a positive number"
                )
        if not 0 <= self.verify_share <= 1 or (self.verify_share and self.mode != "latency"):
            most = "0 to 1" if self.mode == "latency" else f"0 in {self.mode} mode"
            raise CaseError(f"protocol.verify_share: found {self.verify_share}, expected {most}")
        if self.skew:
            parse_skew(self.skew)
        if self.mode == "latency" and self.batch != 1:
            raise CaseError(
                f"protocol.batch: found {self.batch} in latency mode, expected 1 (one operation "
                "per sample); use throughput mode for batches"
            )
        if self.metric == "device" and self.mode != "latency":
            raise CaseError(
                f"protocol.metric: found device in {self.mode} mode, expected host: only a gate "
                "hides the launch, and it holds one operation"
            )
