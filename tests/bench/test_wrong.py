"""A run's end says what was wrong, in the launches of that run only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collcast.bench.case import Case
from collcast.bench.commands.wrong import WRONG, tell_wrong
from collcast.bench.environment import Environment
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample
from collcast.bench.store import write_campaign


def measured(launch: int, **findings: Any) -> Measurement:
    stamps = np.zeros((1, 2), np.int64)
    return Measurement(
        case=Case(collective="all_reduce", message_bytes=1024),
        sample=Sample(start_ns=stamps, stop_ns=stamps + 5),
        warmup=Sample(start_ns=stamps, stop_ns=stamps),
        launch=launch,
        **findings,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    launches = tuple(
        Launch(number=n, protocol=Protocol(), environment=Environment(ranks=2)) for n in range(3)
    )
    wrong = measured(1, wrong=3, first_wrong=17, first_wrong_rank=1, largest_ulps=2.5)
    measurements = (measured(0, wrong=0), wrong, measured(2, wrong=None))
    write_campaign(tmp_path / "run.h5", Campaign(launches=launches, measurements=measurements))
    return tmp_path / "run.h5"


def test_a_wrong_case_is_one_line_and_status_1(path: Path, capsys: Any) -> None:
    assert tell_wrong(path, 1) == WRONG
    assert capsys.readouterr().err == (
        "collcast: WRONG: all_reduce 1K float32 sum mpi on 2 ranks: 3 wrong elements, "
        "the first 17 on rank 1, up to 2.5 ulp off\n"
    )


def test_what_an_earlier_run_found_is_not_told_again(path: Path, capsys: Any) -> None:
    assert tell_wrong(path, 2) == 0
    assert capsys.readouterr().err == ""
