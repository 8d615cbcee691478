"""Series of different algorithms, or of different forced choices, are never one series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collcast.analysis.dataset import SeriesKey, dataset_of
from collcast.analysis.models import MODELS, models_of
from collcast.analysis.named import _FORCED, _MODEL_OF, models_for, models_named
from collcast.bench.algorithms import ALGORITHMS
from collcast.bench.case import Case
from collcast.bench.environment import Environment
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample

KEY = SeriesKey(
    collective="all_reduce",
    transport="mpi",
    algorithm="native",
    protocol="latency",
    sync="barrier",
    dtype="float32",
    placement="out_of_place",
    memory="host",
)


def test_every_algorithm_that_can_be_run_has_a_model() -> None:
    assert {c: set(named) for c, named in _MODEL_OF.items()} == {
        c: set(named) for c, named in ALGORITHMS.items()
    }
    for collective, named in _MODEL_OF.items():
        models = {model.name for model in MODELS if model.collective == collective}
        assert set(named.values()) <= models
        assert len(models_named(collective)) == len(set(named.values()))


def test_what_is_forced_is_a_model_of_some_collective() -> None:
    names = {model.name for model in MODELS}
    assert {name for values in _FORCED.values() for text in values.values()
            for name in text.split()} <= names  # fmt: skip


@pytest.mark.parametrize(
    ("collective", "algorithm", "varied", "expected"),
    [
        ("all_reduce", "ring", "", ["ring"]),
        ("all_reduce", "binomial", "", ["reduce_broadcast"]),
        ("all_to_all", "linear", "", ["pairwise"]),
        ("all_reduce", "native", "OMPI_MCA_coll_tuned_allreduce_algorithm=4", ["ring"]),
        ("all_reduce", "native", "NCCL_ALGO=Tree FI_X=1", ["double_tree"]),
        ("all_gather", "native", "NCCL_ALGO=Ring", ["ring_gather"]),
        ("reduce_scatter", "native", "NCCL_ALGO=ring", ["ring_scatter"]),
        ("broadcast", "native", "NCCL_ALGO=RING", ["chain"]),
        ("all_gather", "native", "NCCL_ALGO=PAT", ["pat_gather"]),
        ("reduce_scatter", "native", "NCCL_ALGO=pat", ["pat_scatter"]),
        ("all_reduce", "native", "NCCL_ALGO=tree", ["double_tree"]),
        ("all_to_all", "native", "NCCL_ALGO=Ring", ["bruck", "pairwise"]),
        ("all_reduce", "native", "", [model.name for model in models_of("all_reduce")]),
        ("all_reduce", "", "FI_X=ring", [model.name for model in models_of("all_reduce")]),
        ("barrier", "native", "", []),
    ],
)
def test_a_named_series_has_one_model(
    collective: str, algorithm: str, varied: str, expected: list[str]
) -> None:
    key = replace(KEY, collective=collective, algorithm=algorithm, varied=varied)
    assert [model.name for model in models_for(key)] == expected


def test_algorithms_and_choices_are_series_of_their_own() -> None:
    """Also where size and ranks are the same; launches of the same choice are pooled."""
    sample = Sample(start_ns=np.zeros((3, 2), np.int64), stop_ns=np.full((3, 2), 1000))
    launches, measurements = [], []
    for number, varied in enumerate([{"A": "1"}, {"A": "2"}, {"A": "1"}, {}]):
        environment = Environment(ranks=2, varied=varied)
        launches.append(Launch(number=number, protocol=Protocol(), environment=environment))
        for algorithm in ("native", "ring"):
            case = Case(collective="all_reduce", message_bytes=64, algorithm=algorithm)
            measurements.append(
                Measurement(case=case, sample=sample, warmup=sample, launch=number, wrong=0)
            )
    rows = dataset_of(Campaign(launches=tuple(launches), measurements=tuple(measurements)))
    found = {(row.key.algorithm, row.key.varied): row.launches for row in rows}
    assert found == {
        (algorithm, varied): launches
        for algorithm in ("native", "ring")
        for varied, launches in (("A=1", 2), ("A=2", 1), ("", 1))
    }
    assert len({str(row.key) for row in rows}) == 6
