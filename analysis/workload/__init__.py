"""Workload: a training step as compute and the collectives of its dimensions, on a fabric."""

from __future__ import annotations

from .preset import Workload, load_workload, workloads
from .step import DIMENSIONS, Step, price_step

__all__ = ["DIMENSIONS", "Step", "Workload", "load_workload", "price_step", "workloads"]
