"""Error against factor: every series a dot, nothing left out."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.analysis.drawing.error import draw_errors
from collcast.analysis.plot import save
from collcast.analysis.validate import ENGINE, Held, Validation


def held_of(key, system, ratios, missed=()):
    """One size at factors 2, 4, 8 beyond 16 ranks; predicted over true as given."""
    from dataclasses import replace

    ratios = np.array(ratios, dtype=float)
    true = np.full(len(ratios), 1e-3)
    middle = ratios * true
    half = np.where(np.isin(np.arange(len(ratios)), missed), 1.0001, 100.0)
    times = np.column_stack(
        [middle, middle / 1.0001, middle * 1.0001, middle / half, middle * half]
    )
    return Held(
        key=replace(key, system=system), scales=(2, 4, 8, 12, 16),
        ranks=np.array([32, 64, 128][: len(ratios)]),
        message_bytes=np.full(len(ratios), 8), true_s=true, noise=np.full(len(ratios), np.nan),
        times_s={ENGINE: times}, statuses=("extrapolated",) * len(ratios), reason="",
    )  # fmt: skip


def validation_of(*held):
    return Validation(holdout=8, held=held, skipped={}, suspect={})


def points(figure, marker):
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    found = [line.get_xydata() for line in lines if line.get_marker() == marker and
             len(line.get_xdata())]  # fmt: skip
    return np.concatenate(found) if found else np.empty((0, 2))


def test_every_machine_is_a_dot_and_misses_stay_in(key):
    parts = (held_of(key, "a", [1.0, 1.2, 0.9]), held_of(key, "b", [1.1, 3.0, 40.0], missed=(1, 2)))
    figure = draw_errors([validation_of(*parts)])
    first, second = points(figure, "o"), points(figure, "s")
    assert len(first) == len(second) == 3
    assert np.allclose(first[:, 0], [2, 4, 8], rtol=0.05)
    assert first[:, 1] == pytest.approx([1.0, 1.2, 0.9])
    assert second[:, 1] == pytest.approx([1.1, 3.0, 8.0])  # what lies beyond sits on the edge
    assert len(points(figure, "x")) == 2
    assert len(points(figure, "_")) == 4
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [name.split()[0] for name in names[:2]] == ["a", "b"]


def test_no_series_is_said_not_hidden(key, tmp_path):
    figure = draw_errors([validation_of()])
    assert any("no series has enough scales" in text.get_text() for text in figure.texts)
    with (tmp_path / "x.png").open("wb") as stream:
        save(figure, stream, ".png")
