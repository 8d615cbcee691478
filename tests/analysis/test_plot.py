"""Pictures: everything that must be said is said, and nothing twice."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from collcast.analysis.dataset import dataset_of
from collcast.analysis.drawing.panel import BOUND
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fit import fit
from collcast.analysis.plot import MOST_SERIES, draw, save

FABRIC = load_fabric("colossus-2")


def fits_of(campaign):
    rows = dataset_of(campaign, "local_max")
    return [fit(key, series, bootstraps=10) for key, series in rows.series().items()]


def svg_of(figure):
    stream = io.BytesIO()
    save(figure, stream, ".svg")
    return stream.getvalue().decode()


def texts_of(svg):
    return [re.sub("<[^>]+>", "", text) for text in re.findall(r"<text.*?</text>", svg, re.DOTALL)]


@pytest.fixture(scope="module")
def fits(campaign_of):
    return fits_of(campaign_of())


@pytest.fixture(scope="module")
def few(campaign_of):
    """Too few scales for a curve."""
    return fits_of(campaign_of(scales=(1, 2, 4), cores=2))


@pytest.fixture(scope="module")
def figure(fits):
    return draw(fits, FABRIC, "Sample CPU")


@pytest.fixture(scope="module")
def again(fits):
    return draw(fits, FABRIC, "Sample CPU")


@pytest.fixture(scope="module")
def svg(figure):
    return svg_of(figure)


def test_both_collectives_axes_and_units(svg):
    texts = " | ".join(texts_of(svg))
    for expected in ("all-reduce", "all-to-all", "time of one call (s)", "ranks (processes)", "ms"):
        assert expected in texts


def test_measured_and_assumed_are_told_apart(svg):
    texts = [text.strip() for text in texts_of(svg)]
    assert any(text.startswith("(a) MEASURED") for text in texts)
    assert any(text.startswith("(b) CONDITIONAL forecast") for text in texts)
    assert texts.count("network: from the fabric file, not measured") == 2
    assert "stroke-dasharray" in svg
    assert "#fbf1e3" in svg


def test_forecast_reaches_a_million(figure):
    for axes in figure.axes[1::2]:
        assert max(line.get_xdata()[-1] for line in axes.lines) == 1_000_000
        assert all(line.get_linestyle() != "-" for line in axes.lines if len(line.get_xdata()) > 2)


def test_points_that_are_not_fitted_are_hollow_and_named(svg, figure):
    texts = " | ".join(texts_of(svg))
    assert "copy: within one memory (not fitted)" in texts
    assert "oversubscribed (not fitted)" in texts
    marks = {
        (line.get_marker(), line.get_markerfacecolor() == "white")
        for line in figure.axes[0].lines
        if line.get_marker() not in {"None", "_"} and len(line.get_xdata()) == 1
    }
    assert {("o", False), ("s", True), ("^", True)} <= marks
    assert ("o", True) not in marks


def test_the_fit_stays_inside_the_measured_tier(figure):
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    assert curves
    assert max(max(line.get_xdata()) for line in curves) <= 16


def test_without_three_scales_the_panel_says_so(few):
    figure = draw(few, FABRIC)
    svg = svg_of(figure)
    assert "no curve: fewer than 3 numbers of ranks remain" in " ".join(texts_of(svg))
    assert not [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]


def test_both_intervals_and_the_bounds_are_drawn(figure):
    for axes in figure.axes[1::2]:
        assert len(axes.collections) == 6  # two bands for each of 3 sizes
        for wide, declared in zip(axes.collections[::2], axes.collections[1::2], strict=True):
            ends = [band.get_paths()[0].get_extents() for band in (wide, declared)]
            assert ends[0].y0 <= ends[1].y0 < ends[1].y1 <= ends[0].y1
    for axes in figure.axes:
        bounds = [line for line in axes.lines if line.get_label() == BOUND]
        assert len(bounds) >= 3  # one per size


def test_without_fabric_there_is_one_column(fits):
    figure = draw(fits, None)
    assert len(figure.axes) == 2
    assert "CONDITIONAL" not in svg_of(figure)


def test_series_too_many_are_counted(fits):
    (first, _) = fits
    many = [
        replace(first, key=replace(first.key, algorithm=f"forced-{k}"))
        for k in range(MOST_SERIES + 2)
    ]
    figure = draw(many, None)
    assert len(figure.axes) == MOST_SERIES
    assert "2 more series not drawn" in svg_of(figure)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_input_gives_the_same_bytes(figure, again, suffix):
    images = []
    for drawn in (figure, again):
        stream = io.BytesIO()
        save(drawn, stream, suffix)
        images.append(stream.getvalue())
    assert images[0] == images[1]


def test_no_text_leaves_the_picture_or_covers_another(again, few):
    for figure in (again, draw(few, FABRIC, "Sample CPU")):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        edge = figure.bbox
        boxes = [
            (text.get_text(), text.get_window_extent(renderer))
            for owner in (figure, *figure.axes)
            for text in owner.texts
        ]
        for legend in figure.legends:
            boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in legend.get_texts()]
        for text, box in boxes:
            assert edge.x0 <= box.x0 <= box.x1 <= edge.x1, text
        for index, (text, box) in enumerate(boxes):
            for other, second in boxes[index + 1 :]:
                assert not box.overlaps(second.shrunk(0.9, 0.9)), (text, other)
