"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def validation_data() -> Path:
    """The folder of public measurements that COLLCAST_DATA names; skips without it."""
    folder = os.environ.get("COLLCAST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("COLLCAST_DATA names no folder of validation data")
    return Path(folder)
