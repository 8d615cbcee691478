"""What is written comes back, exactly, from the file, the journal and both put together."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from collcast.bench import store
from collcast.bench.case import (
    BYTES_PER_ELEMENT,
    COLLECTIVES,
    LOADS,
    MEMORIES,
    OPERATIONS,
    PAIRS,
    PLACEMENTS,
    SIZELESS,
    TRANSPORTS,
    UNIFORM,
    Case,
)
from collcast.bench.environment import Clock, Environment, Location
from collcast.bench.errors import StoreError
from collcast.bench.observation import Observation, Reading
from collcast.bench.protocol import MODES, SYNCHRONISATIONS, Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
INTEGERS = st.integers(0, 2**63 - 1)
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TUPLES = st.lists(ANY_TEXT, max_size=4).map(tuple)
REAL = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def cases(draw):
    collective = draw(st.sampled_from(COLLECTIVES))
    dtype = draw(st.sampled_from(tuple(BYTES_PER_ELEMENT)))
    uneven = collective == "all_to_allv"
    elements = 0 if collective in SIZELESS else draw(st.integers(1, 1 << 50))
    root = draw(INTEGERS)
    pair = collective in PAIRS
    apart = uneven or pair or collective == "copy"
    return Case(
        collective=collective,
        message_bytes=elements * BYTES_PER_ELEMENT[dtype],
        transport=draw(st.sampled_from(TRANSPORTS)),
        algorithm=draw(WORDS),
        dtype=dtype,
        operation=draw(st.sampled_from(OPERATIONS)),
        root=root,
        peer=draw(INTEGERS.filter(lambda rank: rank != root)) if pair else -1,
        placement=draw(st.sampled_from(PLACEMENTS[: 1 if apart else None])),
        memory=draw(st.sampled_from(MEMORIES)),
        counts=draw(WORDS) if uneven else UNIFORM,
        load=draw(st.sampled_from(("", *(f"{load}:7" for load in LOADS)))),
    )


@st.composite
def samples(draw, ranks):
    shape = (draw(st.integers(0, 6)), ranks)
    stamps = arrays(np.int64, shape, elements=st.integers(-(2**63), 2**63 - 1))
    return Sample(start_ns=draw(stamps), stop_ns=draw(stamps), batch=draw(st.integers(1, 2**40)))


@st.composite
def observations(draw):
    counters = st.dictionaries(ANY_TEXT, INTEGERS, max_size=3)
    readings = st.builds(Reading, sm_mhz=INTEGERS, throttle=INTEGERS)
    return Observation(
        counters=draw(st.dictionaries(ANY_TEXT, counters, max_size=3)),
        devices=draw(st.dictionaries(ANY_TEXT, st.tuples(readings, readings), max_size=3)),
    )


@st.composite
def measurements(draw, launches):
    case = draw(cases())
    ranks = 2 if case.peer >= 0 else draw(st.integers(0, 5))
    return Measurement(
        case=case,
        sample=draw(samples(ranks)),
        warmup=draw(samples(ranks)),
        launch=draw(st.sampled_from(launches)),
        wrong=draw(st.none() | INTEGERS),
        verified=draw(st.none() | samples(ranks)),
        observed=draw(st.none() | observations()),
        first_wrong=draw(st.none() | INTEGERS),
        first_wrong_rank=draw(st.none() | INTEGERS),
        largest_ulps=draw(st.none() | REAL),
        busiest_bytes=draw(st.none() | INTEGERS),
        labels=draw(TUPLES),
        suspect=draw(WORDS),
        group=draw(INTEGERS),
        load_bytes_per_s=draw(REAL),
    )


@st.composite
def protocols(draw):
    mode = draw(st.sampled_from(MODES))
    return Protocol(
        mode=mode,
        synchronisation=draw(st.sampled_from(SYNCHRONISATIONS)),
        repetitions=draw(st.integers(1, 2**40)),
        warmup=draw(INTEGERS),
        batch=1 if mode == "latency" else draw(st.integers(1, 2**40)),
        seed=draw(INTEGERS),
    )


@st.composite
def environments(draw):
    numbers = st.dictionaries(ANY_TEXT, st.integers(-(2**63), 2**63 - 1), max_size=3)
    texts = st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3)
    return Environment(
        created=draw(ANY_TEXT),
        command=draw(TUPLES),
        ranks=draw(INTEGERS),
        location=Location(
            host=draw(TUPLES), local_rank=tuple(draw(st.lists(INTEGERS, max_size=3)))
        ),
        cores_per_host=draw(numbers),
        variables=draw(texts),
        clock=Clock(name=draw(ANY_TEXT), resolution_ns=draw(REAL), jitter_ns=draw(REAL)),
        labels=draw(texts),
    )


@st.composite
def campaigns(draw):
    numbers = sorted(draw(st.sets(st.integers(0, 999), min_size=1, max_size=3)))
    launches = tuple(
        Launch(number=number, protocol=draw(protocols()), environment=draw(environments()))
        for number in numbers
    )
    found = draw(st.lists(measurements(numbers), max_size=4))
    return Campaign(launches=launches, measurements=tuple(found))


@pytest.fixture(scope="session")
def folder():
    """A folder per example: hypothesis runs many in one test."""

    def make():
        return tempfile.TemporaryDirectory(prefix="collcast-store-")

    return make


@SETTINGS
@given(campaign=campaigns())
def test_a_written_file_reads_back(folder, plain, campaign):
    with folder() as name:
        path = Path(name) / "run.h5"
        store.write_campaign(path, campaign)
        assert plain(store.read_campaign(path)) == plain(campaign)
        assert sorted(each.name for each in path.parent.iterdir()) == ["run.h5"]


@SETTINGS
@given(campaign=campaigns(), data=st.data())
def test_what_is_appended_reads_back_before_and_after_consolidation(folder, plain, campaign, data):
    with folder() as name:
        path = Path(name) / "run.h5"
        for launch in campaign.launches:
            store.append_launch(path, launch)
        assert store.next_launch_number(path) == campaign.launches[-1].number + 1
        for measurement in campaign.measurements:
            store.append_measurement(path, measurement)
            if data.draw(st.booleans()):
                store.consolidate(path)
        assert plain(store.read_campaign(path)) == plain(campaign)
        store.consolidate(path)
        assert plain(store.read_campaign(path)) == plain(campaign)
        assert sorted(each.name for each in path.parent.iterdir()) == ["run.h5"]


@pytest.mark.parametrize(("repetitions", "ranks"), [(3, 200_001), (50_000, 7), (1, 1), (0, 2)])
def test_shapes_of_more_than_one_chunk_are_exact(
    tmp_path, make_launch, make_sample, plain, repetitions, ranks
):
    case = Case(collective="barrier", message_bytes=0)
    sample = make_sample(repetitions, ranks)
    measurement = Measurement(
        case=case, sample=sample, warmup=make_sample(0, ranks), launch=0, wrong=None
    )
    store.append_launch(tmp_path / "run.h5", make_launch())
    store.append_measurement(tmp_path / "run.h5", measurement)
    found = store.read_campaign(tmp_path / "run.h5").measurements[0].sample
    assert np.array_equal(found.start_ns, sample.start_ns)
    assert np.array_equal(found.stop_ns, sample.stop_ns)


@pytest.mark.parametrize(
    ("field", "value"),
    [("suspect", "nul\0"), ("suspect", "\udc80"), ("suspect", "x" * 40_000), ("wrong", 2**63)],
)
def test_what_cannot_be_stored_exactly_is_refused(
    tmp_path, make_launch, make_measurement, field, value
):
    path = tmp_path / "run.h5"
    store.append_launch(path, make_launch())
    with pytest.raises(StoreError, match=f"measurement.{field}") as caught:
        store.append_measurement(path, make_measurement(**{field: value}))
    assert "\n" not in str(caught.value)
    assert store.read_campaign(path).measurements == ()


@pytest.mark.parametrize(
    "environment",
    [Environment(clock=Clock(stamp_ns=float("nan"))), Environment(cpu="\udc80")],
    ids=["nan", "surrogate"],
)
def test_an_environment_that_json_cannot_hold_is_refused(tmp_path, environment):
    launch = Launch(number=0, protocol=Protocol(), environment=environment)
    with pytest.raises(StoreError, match=r"launch\.environment"):
        store.append_launch(tmp_path / "run.h5", launch)
    assert not store.campaign_exists(tmp_path / "run.h5")


def test_numbers_of_launches_are_checked(tmp_path, make_launch, make_measurement):
    path = tmp_path / "run.h5"
    assert store.next_launch_number(path) == 0
    store.append_launch(path, make_launch(4))
    assert store.next_launch_number(path) == 5
    with pytest.raises(StoreError, match="launches/4"):
        store.append_launch(path, make_launch(4))
    with pytest.raises(StoreError, match=r"found 3, expected one of \[4\]"):
        store.append_measurement(path, make_measurement(launch=3))
    store.consolidate(path)
    with pytest.raises(StoreError, match="launches/4"):
        store.append_launch(path, make_launch(4))
    with pytest.raises(StoreError, match="expected one of"):
        store.write_campaign(
            path, Campaign(launches=(make_launch(0),), measurements=(make_measurement(launch=1),))
        )
    with pytest.raises(StoreError, match="expected each once"):
        store.write_campaign(
            path, Campaign(launches=(make_launch(), make_launch()), measurements=())
        )


def test_a_campaign_is_removed_whole(tmp_path, make_launch):
    path = tmp_path / "run.h5"
    assert not store.campaign_exists(path)
    store.append_launch(path, make_launch())
    assert store.campaign_exists(path)
    store.consolidate(path)
    store.append_launch(path, make_launch(1))
    store.remove_campaign(path)
    assert not store.campaign_exists(path)
    assert list(tmp_path.iterdir()) == []
    store.remove_campaign(path)


def test_a_link_to_the_file_finds_the_journal(tmp_path, make_launch):
    (tmp_path / "latest.h5").symlink_to("run.h5")
    store.append_launch(tmp_path / "run.h5", make_launch())
    assert len(store.read_campaign(tmp_path / "latest.h5").launches) == 1
    store.consolidate(tmp_path / "latest.h5")
    assert (tmp_path / "latest.h5").is_symlink()
    assert (tmp_path / "run.h5").is_file()
