"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import collcast.analysis
import collcast.bench
import collcast.native

NAMES = [
    module.name
    for package in (collcast.native, collcast.bench, collcast.analysis)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", NAMES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_there_are_examples() -> None:
    attempted = [doctest.testmod(importlib.import_module(n)).attempted for n in NAMES]
    assert sum(attempted) > 4
