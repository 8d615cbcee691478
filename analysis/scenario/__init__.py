"""Scenario: what follows for a planned site from its fabric's figures, claim by claim."""

from __future__ import annotations

from .claim import VERDICTS, Claim, check_claims
from .report import Scenario, examine

__all__ = ["VERDICTS", "Claim", "Scenario", "check_claims", "examine"]
