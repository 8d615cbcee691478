"""Pictures: no text covers another, whatever the fabric; the same input gives the same bytes."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations

import pytest

from collcast.analysis.drawing.failure import draw_goodput
from collcast.analysis.drawing.step import draw_steps
from collcast.analysis.drawing.supply import draw_supply
from collcast.analysis.drawing.tiers import draw_tiers
from collcast.analysis.fabrics import built_in_fabrics, load_fabric
from collcast.analysis.plot import save
from collcast.analysis.scenario import examine


def texts_apart(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = [*figure.texts]
    for axes in figure.axes:
        found += [*axes.texts, axes.title]
        if not axes.axison:
            continue
        found += [axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = axis.get_view_interval()
            found += [
                tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
            ]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in found if t.get_text().strip()]
    width, height = canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
    for (one, box), (other, beside) in combinations(boxes, 2):
        assert not box.padded(-1).overlaps(beside.padded(-1)), (one, other)


@pytest.mark.parametrize("name", built_in_fabrics())
def test_tiers(name):
    texts_apart(draw_tiers(load_fabric(name)))


@pytest.mark.parametrize("name", ["colossus-1", "colossus-2"])
def test_supply(name):
    texts_apart(draw_supply(load_fabric(name)))


def test_goodput():
    texts_apart(draw_goodput(load_fabric("colossus-2")))


def test_steps():
    texts_apart(draw_steps(examine(load_fabric("colossus-2"), draws=50)))


def test_the_same_input_gives_the_same_bytes():
    images = []
    for _ in range(2):
        image = BytesIO()
        save(draw_tiers(load_fabric("mrc-131k")), image, ".svg")
        images.append(image.getvalue())
    assert images[0] == images[1]
