"""Campaigns to store, and a form of them that compares."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from collcast.bench.case import Case
from collcast.bench.environment import Environment, Location
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Launch, Measurement, Sample


@pytest.fixture(scope="session")
def make_sample():
    """Stamps as a clock gives them: lognormal gaps and durations after some uptime."""

    def make(repetitions=5, ranks=3, *, median_ns=2e4, spread=0.3, seed=0, batch=1):
        generator = np.random.default_rng(seed)
        size = (2, repetitions, ranks)
        drawn = np.exp(generator.normal(np.log(median_ns), spread, size)).astype(np.int64)
        stop_ns = 1_234_567_890_123_456 + np.cumsum(drawn[0] + drawn[1], axis=0)
        return Sample(start_ns=stop_ns - drawn[1], stop_ns=stop_ns, batch=batch)

    return make


@pytest.fixture(scope="session")
def make_launch():
    def make(number=0, **protocol):
        environment = Environment(
            command=("collcast", "run", "\u00e9"), ranks=3, location=Location(host=("a", "a", "b"))
        )
        return Launch(number=number, protocol=Protocol(**protocol), environment=environment)

    return make


@pytest.fixture(scope="session")
def make_measurement(make_sample):
    def make(seed=0, *, launch=0, repetitions=5, ranks=3, wrong=0, **fields):
        return Measurement(
            case=Case(collective="all_reduce", message_bytes=8 << seed % 20),
            sample=make_sample(repetitions, ranks, seed=seed),
            warmup=make_sample(2, ranks, seed=seed + 1000),
            launch=launch,
            wrong=wrong,
            **fields,
        )

    return make


@pytest.fixture(scope="session")
def plain():
    """A campaign, launch or measurement as nested tuples: equal if all fields and stamps are."""

    def of_sample(sample):
        stamps = (sample.start_ns, sample.stop_ns)
        return (
            sample.batch,
            *((array.shape, str(array.dtype), array.tolist()) for array in stamps),
        )

    def convert(value):
        if isinstance(value, Measurement):
            held = [getattr(value, field.name) for field in fields(value)]
            return tuple(of_sample(each) if isinstance(each, Sample) else each for each in held)
        return value.launches, tuple(convert(each) for each in value.measurements)

    return convert
