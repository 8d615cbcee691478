"""Campaigns and datasets with known truths."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from collcast.analysis.dataset import Dataset, Row, SeriesKey
from collcast.analysis.design import ONE_TIER, design_of
from collcast.analysis.fit import fit
from collcast.analysis.importers import read_log
from collcast.analysis.importers.cells import Given
from collcast.analysis.models import MODELS
from collcast.bench.case import Case
from collcast.bench.environment import Environment, Location
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collcast.analysis.fit import Fit

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
TRUTH = (3e-6, 2e-6, 1e-10, 0.0)  # overhead, alpha, beta, gamma


def truth_s(
    names: Sequence[str],
    ranks: int,
    sizes: Sequence[int],
    tiers: tuple[int, ...] = ONE_TIER,
    values: Sequence[float] = TRUTH,
) -> np.ndarray:
    """Times of the fastest of the named models, in seconds, shape (size,)."""
    models = [model for model in MODELS if model.name in names]
    columns = design_of(models, np.full(len(sizes), ranks), np.array(sizes), tiers)
    return (columns @ np.array(values)).min(axis=0)


def make_rows(
    *names: str,
    scales: Sequence[int] = (2, 4, 8, 16, 32, 64),
    sizes: Sequence[int] = tuple(1 << k for k in range(3, 31, 3)),
    noise: float = 0.02,
    seed: int = 1,
    cores: int = 4096,
    per_host: int = 0,
    tiers: tuple[int, ...] = ONE_TIER,
    values: Sequence[float] = TRUTH,
) -> tuple[SeriesKey, Dataset]:
    """A series whose truth is the fastest of the named models, on one host or several."""
    generator = np.random.default_rng(seed)
    collective = next(model.collective for model in MODELS if model.name in names)
    key = SeriesKey(**{f: getattr(KEY, f) for f in KEY.__slots__} | {"collective": collective})
    rows = []
    for ranks in scales:
        times = truth_s(names, ranks, sizes, tiers, values)
        for n, time in zip(
            sizes, times * np.exp(noise * generator.standard_normal(len(sizes))), strict=True
        ):
            hosts = -(-ranks // per_host) if per_host else 1
            rows.append(
                Row(
                    key=key,
                    ranks=ranks,
                    message_bytes=int(n),
                    repetitions=100,
                    launches=1,
                    median_s=float(time),
                    low_s=float(time) * 0.98,
                    high_s=float(time) * 1.03,
                    hosts=hosts,
                    cores=cores,
                )
            )
    return key, Dataset(tuple(rows))


def make_launch(number: int, ranks: int, cores: int = 64, **protocol: object) -> Launch:
    """A launch on one host."""
    return Launch(
        number=number,
        protocol=Protocol(repetitions=20, warmup=0, **protocol),
        environment=Environment(
            created="2026-01-02T03:04:05+00:00",
            command=("collcast", "run", "<all_reduce>"),
            ranks=ranks,
            location=Location(host=("node-a",) * ranks, local_rank=tuple(range(ranks))),
            cores_per_host={"node-a": cores},
            cpu="Sample CPU",
            mpi_library="Sample MPI 1.0",
            packages={"numpy": "2.0"},
        ),
    )


def make_measurement(
    launch: Launch,
    seconds: Sequence[float],
    *,
    labels: tuple[str, ...] = (),
    wrong: int | None = 0,
    suspect: str = "",
    **case: object,
) -> Measurement:
    """A measurement in which every rank took `seconds`, rank r starting r microseconds late."""
    ranks = launch.environment.ranks
    start = np.arange(len(seconds))[:, None] * 10**9 + np.arange(ranks)[None, :] * 1000
    duration = np.round(np.array(seconds) * 1e9).astype(np.int64)
    sample = Sample(start_ns=start, stop_ns=start + duration[:, None])
    empty = np.zeros((0, ranks), dtype=np.int64)
    return Measurement(
        case=Case(**{"collective": "all_reduce", "message_bytes": 1024} | case),
        sample=sample,
        warmup=Sample(start_ns=empty, stop_ns=empty),
        launch=launch.number,
        wrong=wrong,
        labels=labels,
        suspect=suspect,
    )


def make_campaign(
    scales: Sequence[int] = (1, 2, 4, 8, 16, 128),
    cores: int = 64,
    sizes: Sequence[int] = (8, 256, 8192, 1 << 18, 1 << 22),
) -> Campaign:
    """All-reduce (fastest of two) and pairwise all-to-all on one host, labelled as `run` does."""
    generator = np.random.default_rng(5)
    launches, measurements = [], []
    for number, ranks in enumerate(scales):
        launch = make_launch(number, ranks, cores)
        launches.append(launch)
        labels = ("copy",) if ranks == 1 else ("oversubscribed",) if ranks > cores else ()
        for collective, names in (
            ("all_reduce", ("recursive_doubling", "ring")),
            ("all_to_all", ("pairwise",)),
        ):
            least = 4 * ranks if collective == "all_to_all" else 8
            kept = [n for n in sizes if n >= least]
            for n, time in zip(
                kept, truth_s(names, ranks, kept, values=(1e-6, 5e-7, 1e-10, 0.0)), strict=True
            ):
                slow = time * (8 if labels == ("oversubscribed",) else 1)
                samples = slow * np.exp(0.05 * generator.standard_normal(20))
                measurements.append(
                    make_measurement(
                        launch, samples, labels=labels, collective=collective, message_bytes=n
                    )
                )
    return Campaign(launches=tuple(launches), measurements=tuple(measurements))


@pytest.fixture(scope="session")
def key() -> SeriesKey:
    return KEY


@pytest.fixture(scope="session")
def truth() -> Callable[..., np.ndarray]:
    return truth_s


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., tuple[SeriesKey, Dataset]]:
    return make_rows


@pytest.fixture(scope="session")
def fit_of() -> Callable[..., Fit]:
    """Fits of made series, with few bootstraps unless said; the same series is fitted once."""

    @cache
    def made(*names: str, bootstraps: int = 5, **fields: Any) -> Fit:
        return fit(*make_rows(*names, **fields), bootstraps=bootstraps)

    return made


@pytest.fixture(scope="session")
def launch_of() -> Callable[..., Launch]:
    return make_launch


@pytest.fixture(scope="session")
def measurement_of() -> Callable[..., Measurement]:
    return make_measurement


@pytest.fixture(scope="session")
def campaign_of() -> Callable[..., Campaign]:
    return make_campaign


@pytest.fixture(scope="session")
def written_campaign(tmp_path_factory):
    from collcast.bench.store import write_campaign

    path = tmp_path_factory.mktemp("campaign") / "run.h5"
    write_campaign(path, make_campaign())
    return path


@pytest.fixture
def campaign_file(tmp_path, written_campaign):
    """A copy that a test may change."""
    return Path(shutil.copy(written_campaign, tmp_path / "run.h5"))


@pytest.fixture
def make_table():
    """An imported table of (bytes, seconds, suspect) on 4 ranks."""
    from collcast.analysis.importers.cells import Cells, Context

    def make(rows, **context):
        cells = Cells()
        shared = {"collective": "all_reduce", "transport": "nccl", "ranks": 4} | context
        for message_bytes, time_s, suspect in rows:
            cells.add(Context(**shared, suspect=suspect), message_bytes, time_s)
        return cells.table("a.log", "0" * 64, "table", 3)

    return make


@pytest.fixture
def read(tmp_path):
    """Import a text as a log; its table."""

    def read(text, form="auto", name="a.log", **given):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_log(path, form, Given(**given))

    return read
