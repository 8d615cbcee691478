"""Protocol: how a case is measured, as a pure value."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import CaseError

__all__ = ["MODES", "SYNCHRONISATIONS", "Protocol"]

MODES = ("latency", "throughput")
"""``latency``: one operation per sample. ``throughput``: `batch` operations queued back to back per
sample, one completion; a sample's time is (stop - start) / batch. The two are never mixed."""

SYNCHRONISATIONS = ("barrier", "window", "none")
"""How ranks start a sample: after a barrier, at a time of a common clock, or as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How samples are taken. The same for every case of a launch."""

    mode: str = "latency"
    """One of `MODES`."""

    synchronisation: str = "barrier"
    """One of `SYNCHRONISATIONS`."""

    repetitions: int = 100
    """Samples per case and rank, warm-up not counted."""

    warmup: int = 10
    """Samples before those, recorded apart."""

    batch: int = 1
    """k: operations per sample; 1 for ``latency``."""

    seed: int = 0
    """Seed of the buffers' contents."""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise CaseError(
                f"protocol.mode: found {self.mode!r}, expected one of {', '.join(MODES)}"
            )
        if self.synchronisation not in SYNCHRONISATIONS:
            raise CaseError(
                f"protocol.synchronisation: found {self.synchronisation!r}, expected one of "
                f"{', '.join(SYNCHRONISATIONS)}"
            )
        for field, least in (("repetitions", 1), ("warmup", 0), ("batch", 1), ("seed", 0)):
            if getattr(self, field) < least:
                raise CaseError(
                    f"protocol.{field}: found {getattr(self, field)}, expected at least {least}"
                )
        if self.mode == "latency" and self.batch != 1:
            raise CaseError(
                f"protocol.batch: found {self.batch} in latency mode, expected 1 (one operation "
                "per sample); use throughput mode for batches"
            )
