"""The page stands alone, says what it rests on, and treats what a file holds as text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from collcast.analysis.dataset import dataset_of
from collcast.analysis.fabrics import load_fabric
from collcast.analysis.fit import fit
from collcast.analysis.report import render


@pytest.fixture(scope="module")
def page(campaign_of):
    return render_page(campaign_of())


def render_page(campaign, fabric="colossus-2"):
    rows = dataset_of(campaign, "local_max")
    fits = [fit(key, series, bootstraps=10) for key, series in rows.series().items()]
    return render(campaign, fits, load_fabric(fabric) if fabric else None, "A campaign")


class Loads(HTMLParser):
    """Collects what a browser would load, and tags left open."""

    def __init__(self):
        super().__init__()
        self.loads, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in {"src", "href", "data", "action"}]
        if tag not in {"meta", "img", "br", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_nothing_is_loaded_from_elsewhere(page):
    parser = Loads()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.loads) == 1
    assert parser.loads[0].startswith("data:image/png;base64,iVBOR")
    assert not re.search(r"url\(|@import|<script|<link", page)


def test_first_line_says_what_kind_of_statement_it_is(page):
    body = page[page.index("<body>") : page.index("<img")]
    assert "Conditional forecast: nothing of the network was measured" in body
    assert "about 488 times any published GPU measurement" in body


def test_table_figures_and_provenance_are_there(page):
    for expected in (
        "all_reduce mpi native",
        "oversubscribed",
        "Sample MPI 1.0",
        "collcast run",
        "numpy 2.0",
        "2026-01-02T03:04:05",
        "network from the fabric file, not measured",
        "arXiv:2605.04333",
        "pod.latency + 2 * mrc_hop",
    ):
        assert expected in page, expected


def test_what_a_file_holds_is_text(page):
    assert "&lt;all_reduce&gt;" in page
    assert "<all_reduce>" not in page


def test_without_fabric_nothing_is_forecast(campaign_of):
    page = render_page(campaign_of(), fabric=None)
    assert "Conditional" not in page
    assert "not measured" not in page


def test_unknown_intervals_are_blank(campaign_of):
    campaign = campaign_of(scales=(1, 2))
    short = tuple(
        replace(
            found,
            sample=replace(
                found.sample,
                start_ns=found.sample.start_ns[:3],
                stop_ns=found.sample.stop_ns[:3],
            ),
        )
        for found in campaign.measurements
    )
    assert "nan" not in render_page(replace(campaign, measurements=short)).split("base64,")[0]
