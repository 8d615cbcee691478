"""Sealed forecasts: the digest holds them to what they said, and the score is that of the cells."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from collcast.analysis.commands.forecast import forecast
from collcast.analysis.dataset import Dataset
from collcast.analysis.forecast import digest_of, score_forecast, seal, unseal
from collcast.bench.errors import CaseError

SIZES = (8, 1 << 12, 1 << 20)


@pytest.fixture(scope="module")
def rows(rows_of):
    return rows_of("ring", sizes=SIZES)[1]


@pytest.fixture(scope="module")
def sealed(rows):
    return seal(rows, {"name": "x", "sha256": "0"}, [128, 256], SIZES)


def test_the_digest_is_that_of_the_content_not_of_its_layout(sealed):
    again = json.loads(json.dumps(sealed, indent=7))
    assert digest_of(again) == digest_of(sealed)
    again["predictions"][0]["time_us"] *= 1 + 1e-12
    assert digest_of(again) != digest_of(sealed)


def test_the_score_is_that_of_the_later_cells(rows_of, sealed):
    _, later = rows_of("ring", sizes=SIZES, scales=(128,), noise=0.0)
    found = score_forecast(sealed, later)
    assert (found.matched, found.missing) == (3, 3)
    predicted = np.array([p["time_us"] for p in sealed["predictions"] if p["ranks"] == 128])
    true = np.array([row.median_s * 1e6 for row in later])
    assert found.score.median_error == pytest.approx(np.median(np.abs(predicted / true - 1)))
    assert found.score.coverage_90 == 1.0


def test_a_later_mistake_is_not_scored(rows_of, sealed):
    _, later = rows_of("ring", sizes=SIZES, scales=(128,))
    wrong = Dataset(tuple(replace(row, wrong=3) for row in later))
    assert score_forecast(sealed, wrong).matched == 0


def test_another_series_is_not_mixed_in(rows_of, sealed):
    _, later = rows_of("ring", sizes=SIZES, scales=(128,))
    other = Dataset(tuple(replace(row, key=replace(row.key, dtype="float64")) for row in later))
    assert score_forecast(sealed, other).matched == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[]", "no sealed forecast"),
        ('{"kind": "collcast forecast"}', "schema None"),
    ],
)
def test_what_is_no_forecast_is_refused(text, message):
    with pytest.raises(CaseError, match=message):
        unseal(text, "f.json")


def test_the_commands_agree_on_the_digest(rows, tmp_path):
    lines = ["system,collective,backend,ranks,bytes,time_us"]
    lines += [f"m,allreduce,x,{r.ranks},{r.message_bytes},{r.median_s * 1e6!r}" for r in rows]
    table, output = tmp_path / "t.csv", tmp_path / "f.json"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    call = ["seal", str(table), "--ranks", "128", "-o", str(output)]
    printed = CliRunner().invoke(forecast, call, catch_exceptions=False).stdout
    digest = printed.split("canonical form: ")[1].strip()
    later = tmp_path / "later.csv"
    later.write_text(
        "system,collective,backend,ranks,bytes,time_us\nm,allreduce,x,128,4096,300\n", "utf-8"
    )
    call = ["score", str(output), str(later), "--format", "json"]
    found = json.loads(CliRunner().invoke(forecast, call, catch_exceptions=False).stdout)
    assert found["sha256"] == digest
    assert (found["matched"], found["missing"]) == (1, 2)
    later.write_text(
        "system,collective,backend,ranks,bytes,time_us\nm,allreduce,y,128,4096,300\n", "utf-8"
    )
    nothing = CliRunner().invoke(forecast, call)
    assert "found none of the places" in str(nothing.exception)
    assert "(series all_reduce y m), expected some of all_reduce x m" in str(nothing.exception)
    refused = CliRunner().invoke(
        forecast, ["seal", str(table), "--ranks", "128", "-o", str(output)]
    )
    assert isinstance(refused.exception, CaseError)
