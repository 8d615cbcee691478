"""Logs and tables of other programs -> imported tables: one file per format.

A value is never guessed: what a log does not say stays empty, or is asked for. Whatever a file
holds, the only error that leaves here is `ImportFormatError`.
"""

from __future__ import annotations

from ..log_format import FORMATS
from .read import read_log

__all__ = ["FORMATS", "read_log"]
