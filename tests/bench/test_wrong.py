"""A run's end says what was wrong, in the launches of that run only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collcast.bench.case import Case
from collcast.bench.cli import main
from collcast.bench.commands.wrong import WRONG, tell_wrong
from collcast.bench.environment import Environment
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample
from collcast.bench.store import write_campaign
from collcast.bench.wrong import wrong_lines


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


def test_show_tells_it_too(path: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["show", str(path)])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("WRONG: all_reduce 1K float32")] == [
        lines[-1]
    ]


def test_of_many_the_first_few_are_told() -> None:
    many = [measured(0, wrong=1, first_wrong=0, first_wrong_rank=0, largest_ulps=1)] * 7
    lines = wrong_lines(many)
    assert len(lines) == 6
    assert lines[-1] == "WRONG: 2 cases more"


def test_a_file_that_knows_no_more_is_told_as_far_as_it_knows() -> None:
    (line,) = wrong_lines([measured(0, wrong=4)])
    assert line.endswith("on 2 ranks: 4 wrong elements")
