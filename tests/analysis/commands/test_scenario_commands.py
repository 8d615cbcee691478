"""The commands of fabrics and scenarios, as a user meets them."""

from __future__ import annotations

import json

import pytest

from collcast.bench.cli import main


@pytest.fixture
def collcast(capsys, campaign_file, monkeypatch):
    monkeypatch.chdir(campaign_file.parent)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


def test_list_show_export(collcast):
    assert "zettascale10" in collcast("fabric", "list")[1]
    status, out, _ = collcast("fabric", "show", "deepseek-mpft", "--sources")
    assert status == 0
    assert "768 switches, 16,384 links between them" in out
    assert "ISCA 2025, Table 3" in out
    assert "npus_count: [ 8, 32, 64 ]" in collcast("fabric", "export", "deepseek-mpft")[1]


def test_new_check_and_use(collcast):
    new = ("fabric", "new", "mine", "--endpoints", "65536", "--ports", "64", "--rails", "8")
    assert collcast(*new)[0] == 0
    assert collcast("fabric", "check", "mine.toml")[0] == 0
    assert collcast(*new)[0] == 2
    found = collcast("extrapolate", "run.h5", "--ranks", "65536", "--sizes", "1M", "--fabric",
                     "mine.toml", "--format", "json")  # fmt: skip
    assert json.loads(found[1])["predictions"][0]["status"] == "conditional"


def test_new_from_a_campaign(collcast):
    status, out, _ = collcast("fabric", "new", "here", "--campaign", "run.h5")
    assert (status, out.startswith("here.toml")) == (0, True)
    assert "fitted" in collcast("fabric", "show", "here.toml", "--sources")[1]


def test_scenario_in_three_formats(collcast):
    short = ("scenario", "colossus-2", "--gpus", "1000000", "--supply", "300MW")
    status, out, _ = collcast(*short)
    assert status == 0
    assert out.startswith("This is a conditional statement")
    assert "NOT REALISABLE" in out
    values = json.loads(collcast(*short, "--format", "json")[1])
    assert {item["gpus"] for item in values["supplies"]} == {165_000, 120_992, 100_000}
    assert "| 1,000,000 GPUs on 300 MW | inconsistent |" in collcast(*short, "--format", "md")[1]


def test_scenario_with_a_campaign_keeps_measured_fitted_and_assumed_apart(collcast):
    status, out, _ = collcast("scenario", "colossus-2", "--gpus", "1000000", "--campaign", "run.h5")
    assert status == 0
    places = [out.index(word) for word in ("MEASURED on", "FITTED to", "ASSUMED, or resting")]
    assert places == sorted(places)


def test_power_and_goodput(collcast):
    out = collcast("power", "colossus-1", "--supply", "150MW")[1]
    assert "100,000" in out
    out = collcast("goodput", "--gpus", "1000000")[1]
    for expected in ("beyond 98,304", "two set-ups", "the stall is that of about 100,000 GPUs"):
        assert expected in out
    assert "1,000,000" not in collcast("goodput", "llama3-24k")[1]


@pytest.mark.parametrize(
    "command",
    [("fabric", "show", "colossus-2"), ("scenario", "colossus-2", "--gpus", "200000"),
     ("goodput",), ("power", "colossus-2")],
)  # fmt: skip
def test_pictures(collcast, command, campaign_file):
    assert collcast(*command, "-o", "x.png")[0] == 0
    assert (campaign_file.parent / "x.png").read_bytes()[:4] == b"\x89PNG"
    status, _, err = collcast(*command, "-o", "x.png")
    assert (status, "exists" in err) == (2, True)


MISTAKES = {
    "no unit": (("power", "colossus-2", "--supply", "150"), "supply: found '150'"),
    "no number of GPUs": (("scenario", "colossus-2", "--gpus", "abc"), "--gpus: found 'abc'"),
    "no target": (("plan", "run.h5", "--target", "x", "--budget", "1"), "--target: found 'x'"),
    "beyond the fabric": (("goodput", "--gpus", "20000000"), "--gpus: found 20,000,000"),
    "no such fabric": (("scenario", "colossus-9"), "colossus-9"),
    "no number": (("goodput", "--gpus", "x"), "--gpus: found 'x', expected whole numbers"),
    "nothing to feed": (("power", "llama3-24k"), "--supply: found none, and none in llama3-24k"),
    "too many": (("scenario", "colossus-2", "--gpus", "2000000"), "--gpus: found 2,000,000"),
    "no network": (("scenario", "this-machine"), "this-machine"),
    "odd radix": (("fabric", "new", "x", "--endpoints", "64", "--ports", "63"), "even"),
    "does not fit": (
        ("fabric", "new", "x", "--endpoints", "1000000", "--tiers", "3", "--rails", "8"),
        "524,288",
    ),
    "negative rate": (("fabric", "new", "x", "--endpoints", "64", "--nic", "-4"), "radix"),
    "no endpoints": (("fabric", "new", "x"), "endpoints"),
    "no topology": (("fabric", "new", "x", "--nccl-topology", "no.xml"), "no.xml"),
    "no file": (("fabric", "check", "no.toml"), "cannot be read"),
    "picture of no kind": (("goodput", "-o", "x.doc"), ".png"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(collcast, mistake):
    arguments, named = MISTAKES[mistake]
    status, out, err = collcast(*arguments)
    assert status == 2
    assert out == ""
    assert named in err
    assert len(err.strip().splitlines()) == 1
