"""Importers fed with damage: one error only, and no number that the text does not hold.

The time that `test_fuzz` takes is COLLCAST_FUZZ_SECONDS, a few seconds without it.
"""

from __future__ import annotations

import os
import re
import time
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collcast.analysis.importers import FORMATS, read_log
from collcast.analysis.importers.cells import PER_PEER, Given
from collcast.bench.errors import ImportFormatError

from .test_importers import IMB, NEW, OSU, nccl_json

SECONDS = float(os.environ.get("COLLCAST_FUZZ_SECONDS", "4"))
RANKS = 8
SEEDS = (
    NEW,
    OSU,
    IMB,
    "\tCOMMS-RES-all_reduce-float32\t1024\t256\t30.5\t31\t32\t29\t33\t0.1\t0.2\n",
    "# OMB Python MPI Allgather Test\n# Size (B)      Latency (us)\n8      2.25\n",
    "collective,ranks,bytes,time_us,time_lo_us\nallreduce,4,8,13.152,1e-3\nalltoall,4,16,1.5,\n",
)
NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
PIECES = st.one_of(
    st.sampled_from(
        ["\n", "\r\n", "\0", " ", "#", "1e999", "nan", "-1", "inf", "9" * 30, "1_0", "\u0661",
         "N/A", "0: ", "[1,0]<stdout>:", "NCCL INFO", ",", '"', "float", "\ufeff", "{", "1e5"]
    ),
    st.text(max_size=8),
    st.floats().map(str),
)  # fmt: skip


@st.composite
def damaged(draw):
    """Logs cut, joined and sprinkled with noise, as bytes of some encoding."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 5))):
        first, last = sorted(draw(st.integers(0, len(text))) for _ in range(2))
        kind = draw(st.sampled_from(["cut", "noise", "join", "repeat"]))
        if kind == "cut":
            text = text[:first] + text[last:]
        elif kind == "noise":
            text = text[:first] + draw(PIECES) + text[first:]
        elif kind == "join":
            text = text[:first] + draw(st.sampled_from(SEEDS))[last:]
        else:
            text += text[first:last]
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "latin-1", "utf-16"]))
    return text.encode(encoding, errors="replace")


def printed(data):
    """Numbers of a text, by every encoding that the importers might take."""
    found = set()
    for encoding in ("utf-8", "utf-16", "latin-1"):
        text = data.decode(encoding, errors="replace")
        found |= {float(Decimal(word)) for word in NUMBER.findall(text) if len(word) < 40}
    return found


def expect_only_what_is_printed(path, data, form):
    given = Given(ranks=RANKS, collective="all_reduce")
    try:
        table = read_log(path, form, given)
    except ImportFormatError:
        return 0
    numbers = printed(data)
    for index in range(len(table)):
        row = table.row(index)
        size = row["message_bytes"]
        plain = row["collective"].removeprefix("nonblocking_").removeprefix("persistent_")
        plain = plain.removesuffix("_v")
        per_peer = plain in PER_PEER and table.format in {"osu", "imb", "omb-py"}
        allowed = numbers | {0.0} if plain == "barrier" else numbers
        assert (size / row["ranks"] if per_peer else size) in allowed
        assert row["ranks"] in numbers | {RANKS, 2} or table.format.startswith("nccl")
        if row["collective"] not in {"unidirectional", "bidirectional"}:
            times = [row[name] for name in ("time_s", "low_s", "high_s")]
            for value in times:
                assert np.isnan(value) or _is_printed(value, numbers)
    return len(table)


def _is_printed(seconds, numbers):
    return float(Decimal(repr(seconds)).scaleb(6)) in numbers or seconds * 1e6 in numbers


@pytest.mark.timeout(SECONDS + 300)
def test_fuzz(tmp_path):
    path = tmp_path / "a.log"
    counts = {"examples": 0, "rows": 0}
    end = time.monotonic() + SECONDS

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=damaged(), form=st.sampled_from((*FORMATS, "auto", "auto")))
    def batch(data, form):
        if time.monotonic() < end:
            path.write_bytes(data)
            counts["rows"] += expect_only_what_is_printed(path, data, form)
            counts["examples"] += 1

    while time.monotonic() < end:
        batch()
    print(counts)  # noqa: T201
    assert counts["rows"] > 0


@pytest.mark.parametrize("cut", range(0, 700, 7))
def test_nccl_json_cut_anywhere(tmp_path, cut):
    import json

    data = json.dumps(nccl_json()).encode()
    path = tmp_path / "a.json"
    path.write_bytes(data[:cut])
    if cut < len(data):
        with pytest.raises(ImportFormatError):
            read_log(path)
