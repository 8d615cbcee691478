"""The commands as a user meets them: formats, contracts, mistakes."""

from __future__ import annotations

import csv
import io
import json

import pytest

from collcast.bench.cli import main

SHOW = [
    "collective", "transport", "algorithm", "protocol", "sync", "statistic", "ranks",
    "message_bytes", "dtype", "placement", "memory", "repetitions", "launches", "median_us",
    "low_us", "high_us", "algbw_gb_per_s", "busbw_gb_per_s", "wrong", "suspect",
    "counts", "root", "peer", "skew", "bound_percent", "bound", "load",
]  # fmt: skip
PREDICTION = [
    "collective", "transport", "algorithm", "protocol", "sync", "dtype", "placement",
    "memory", "fabric", "ranks", "message_bytes", "time_us", "low50_us", "high50_us",
    "low90_us", "high90_us", "status", "assumed_tiers", "given_time_us", "given_low50_us",
    "given_high50_us", "given_low90_us", "given_high90_us", "share_parameters", "share_fabric",
    "share_model", "share_launch", "share_iteration", "fastest", "switch_probability", "bound_us",
    "bound", "clipped", "factor", "validated",
]  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    return {}


@pytest.fixture
def collcast(capsys, campaign_file, monkeypatch, fitted):
    """Run a command line on the campaign in the current folder: status, output, errors.

    The same campaign is fitted once: a fit depends on nothing else.
    """
    from collcast.analysis.commands import extras

    fit_all = extras.fit_all

    def once(campaign, seed=0, **prior):
        samples = [found.sample for found in campaign.measurements]
        stamps = tuple(one.start_ns.tobytes() + one.stop_ns.tobytes() for one in samples)
        believed = repr(
            {name: value for name, value in prior.items() if value not in ("none", None)}
        )
        key = stamps, repr(campaign.launches), len(campaign.imported), seed, believed
        if key not in fitted:
            fitted[key] = fit_all(campaign, seed, **prior)
        return fitted[key]

    monkeypatch.setattr(extras, "fit_all", once)
    monkeypatch.chdir(campaign_file.parent)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


def strict(text):
    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def test_show_csv_has_the_contract_s_columns(collcast):
    status, out, _ = collcast("show", "run.h5", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert list(rows[0]) == SHOW
    assert len(rows) == 55  # 6 scales of 5 sizes, less 5 that give no element per peer
    row = next(row for row in rows if row["ranks"] == "4" and row["message_bytes"] == "8192")
    median, low, high = (float(row[name]) for name in ("median_us", "low_us", "high_us"))
    assert low <= median <= high
    assert float(row["algbw_gb_per_s"]) == pytest.approx(8192 / median / 1e3, rel=1e-5)
    assert float(row["busbw_gb_per_s"]) == pytest.approx(1.5 * 8192 / median / 1e3, rel=1e-5)
    assert row["wrong"] == "0"
    assert row["suspect"] == ""


def test_show_json_is_strict(collcast):
    rows = strict(collcast("show", "run.h5", "--format", "json")[1])["rows"]
    assert set(SHOW) <= set(rows[0])
    assert rows[0]["labels"] == ["copy"]


def test_what_is_unknown_is_null_or_empty(collcast, campaign_file, launch_of, measurement_of):
    from collcast.bench.sample import Campaign
    from collcast.bench.store import write_campaign

    launch = launch_of(0, 2)
    few = measurement_of(launch, [1e-6, 2e-6, 3e-6], wrong=None)
    barrier = measurement_of(launch, [1e-6] * 9, collective="barrier", message_bytes=0)
    path = campaign_file.parent / "few.h5"
    write_campaign(path, Campaign(launches=(launch,), measurements=(few, barrier)))
    first, second = strict(collcast("show", "few.h5", "--format", "json")[1])["rows"]
    assert first["median_us"] == pytest.approx(2.0)
    assert (first["low_us"], first["high_us"], first["wrong"]) == (None, None, None)
    assert (second["algbw_gb_per_s"], second["busbw_gb_per_s"]) == (None, None)
    out = collcast("show", "few.h5", "--format", "csv")[1]
    assert "nan" not in out
    assert next(csv.DictReader(io.StringIO(out)))["wrong"] == ""
    assert "no model of barrier" in collcast("fit", "few.h5")[1]
    assert collcast("plot", "few.h5", "-o", "few.png")[0] == 0
    assert collcast("report", "few.h5", "-o", "few.html")[0] == 0
    strict(collcast("extrapolate", "few.h5", "--ranks", "2,64", "--format", "json")[1])


def test_show_table_cuts_nothing(collcast):
    out = collcast("show", "run.h5")[1]
    assert "all_reduce mpi native latency barrier float32 out_of_place host" in out
    assert "oversubscribed" in out
    assert "…" not in out


def test_fit_json_is_strict(collcast):
    fits = strict(collcast("fit", "run.h5", "--format", "json")[1])["fits"]
    assert [found["collective"] for found in fits] == ["all_reduce", "all_to_all"]
    assert fits[1]["model"] == "pairwise"
    assert fits[0]["dropped"] == {"copy": 5, "oversubscribed": 5}
    assert {p["name"] for p in fits[0]["parameters"]} == {"overhead", "alpha", "beta"}
    assert fits[0]["unidentified"] == ["gamma"]


def test_fit_table_says_what_was_left_out(collcast):
    out = collcast("fit", "run.h5")[1]
    assert "left out: 5 copy, 5 oversubscribed" in out
    assert "gamma" in out


def test_extrapolate_json_is_the_contract(collcast):
    status, out, _ = collcast(
        "extrapolate", "run.h5", "--ranks", "4,12,1000000", "--sizes", "8192,1G",
        "--fabric", "colossus-2", "--format", "json",
    )  # fmt: skip
    content = strict(out)
    predictions = content["predictions"]
    assert status == 0
    assert next(iter(content)) == "statement"
    assert content["statement"].startswith("Conditional forecast")
    assert all(list(p) == PREDICTION for p in predictions)
    assert len(predictions) == 2 * 3 * 2
    kinds = {(p["ranks"], p["message_bytes"]): p["status"] for p in predictions}
    assert kinds[4, 8192] == "measured"
    assert kinds[12, 8192] == "extrapolated"
    assert kinds[1_000_000, 1 << 30] == "conditional"
    for p in predictions:
        assert p["low90_us"] <= p["low50_us"] <= p["time_us"] <= p["high50_us"] <= p["high90_us"]
        assert bool(p["assumed_tiers"]) == (p["status"] == "conditional") == bool(p["fabric"])
        assert (p["given_low90_us"] is not None) == (p["status"] == "conditional")
        shares = [p[f"share_{name}"] for name in ("parameters", "fabric", "model", "launch",
                                                  "iteration")]  # fmt: skip
        if p["status"] == "measured":
            assert set(shares) == {None}
        else:
            assert sum(shares) == pytest.approx(1.0)
            assert p["low90_us"] >= p["bound_us"] > 0


def test_extrapolate_without_fabric_is_unsupported_and_has_no_number(collcast):
    out = collcast("extrapolate", "run.h5", "--ranks", "1000000", "--format", "json")[1]
    predictions = strict(out)["predictions"]
    assert {p["status"] for p in predictions} == {"unsupported"}
    assert {p["time_us"] for p in predictions} == {None}


def test_extrapolate_csv_keeps_standard_output_clean(collcast):
    _, out, err = collcast(
        "extrapolate", "run.h5", "--ranks", "1000000", "--sizes", "1G", "--fabric", "colossus-2",
        "--format", "csv",
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == PREDICTION
    assert rows[0]["assumed_tiers"] == "nvlink+leaf+pod+core"
    assert err.startswith("Conditional forecast")


def test_extrapolate_table_opens_with_the_statement(collcast):
    out = collcast(
        "extrapolate", "run.h5", "--ranks", "1000000", "--sizes", "1M", "--fabric", "colossus-2"
    )[1]
    assert out.startswith("Conditional forecast: nothing of the network was measured")
    assert "The same if every figure of the fabric is as declared" in out
    assert "Shares of the variance of log time" in out
    assert "not validated: 1 of 1 intervals of all_reduce" in out
    assert "not realisable" in out
    assert "…" not in out


def test_extrapolate_asks_what_if(collcast):
    asked = ("extrapolate", "run.h5", "--ranks", "4,1000000", "--sizes", "1G", "--fabric",
             "colossus-2", "--format", "json")  # fmt: skip
    plain = strict(collcast(*asked, "--algorithm", "ring")[1])
    assert [p["collective"] for p in plain["predictions"]] == ["all_reduce"] * 2
    assert {p["status"] for p in plain["predictions"]} == {"conditional"}  # 4 were measured
    assert {p["fastest"] for p in plain["predictions"]} == {"ring"}
    assert plain["notes"][0] == "what if: algorithm ring"
    sets = ("--set", "core.oversubscription=7", "--set", "pod.latency=1e-5")
    wide = strict(collcast(*asked, "--algorithm", "ring", "--layout", "random", *sets)[1])
    assert wide["predictions"][1]["time_us"] > 1.2 * plain["predictions"][1]["time_us"]
    assert "set core.oversubscription=7 pod.latency=1e-5" in wide["notes"][0]


def test_plan_says_what_to_measure(collcast):
    asked = ("plan", "run.h5", "--target", "64", "--budget", "2000gpu-min")
    status, out, _ = collcast(*asked)
    assert status == 0
    assert "collcast run all_reduce --ranks " in out
    assert "measuring could remove" in out
    content = strict(collcast(*asked, "--format", "json")[1])
    assert (content["target"], content["budget_s"]) == (64, 120_000)
    assert [plan["series"].split()[0] for plan in content["plans"]] == ["all_reduce", "all_to_all"]
    for plan in content["plans"]:
        assert 0 < plan["spent_s"] <= 120_000
        assert all(cell["ranks"] <= 64 for cell in plan["cells"])
    out = collcast("plan", "run.h5", "--target", "1000000", "--budget", "1gpu-h",
                   "--fabric", "colossus-2")[1]  # fmt: skip
    assert "nothing to measure: 1,000,000 ranks lie beyond the measured tier of 64" in out
    assert "fabric 5" in out  # per cent of the variance


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf"])
def test_plot_writes_and_does_not_overwrite(collcast, campaign_file, name):
    path = campaign_file.parent / name
    assert collcast("plot", "run.h5", "-o", name)[0] == 0
    first = path.read_bytes()
    status, _, err = collcast("plot", "run.h5", "-o", name)
    assert status == 2
    assert "--force" in err
    assert collcast("plot", "run.h5", "-o", name, "--fabric", "none", "--force")[0] == 0
    assert path.read_bytes() != first
    assert sorted(found.name for found in campaign_file.parent.iterdir()) == [name, "run.h5"]


def test_report_writes_a_page(collcast, campaign_file):
    assert collcast("report", "run.h5", "-o", "page.html")[0] == 0
    page = (campaign_file.parent / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")


AT_4 = ("extrapolate", "run.h5", "--ranks", "4")
ON = ("--fabric", "colossus-2")
MISTAKES = {
    "no file": (("show", "none.h5"), "none.h5"),
    "no campaign": (("fit", "text.h5"), "text.h5"),
    "ranks in words": (("extrapolate", "run.h5", "--ranks", "many"), "many"),
    "ranks zero": (("extrapolate", "run.h5", "--ranks", "0"), "'0'"),
    "ranks missing": (("extrapolate", "run.h5"), "--ranks"),
    "size unknown": (("extrapolate", "run.h5", "--ranks", "4", "--sizes", "1X"), "1X"),
    "fabric unknown": (("extrapolate", "run.h5", "--ranks", "4", "--fabric", "x"), "colossus-2"),
    "format unknown": (("show", "run.h5", "--format", "xml"), "xml"),
    "picture of no kind": (("plot", "run.h5", "-o", "a.bmp"), ".png"),
    "no such folder": (("plot", "run.h5", "-o", "no/a.png"), "no folder"),
    "output missing": (("report", "run.h5"), "--output"),
    "what if without fabric": ((*AT_4, "--set", "core.rate=1e9"), "found no --fabric"),
    "layout without fabric": ((*AT_4, "--layout", "random"), "found no --fabric"),
    "tier unknown": ((*AT_4, *ON, "--set", "spine.rate=1e9"), "one of nvlink, leaf, pod, core"),
    "field unknown": ((*AT_4, *ON, "--set", "core.speed=1e9"), "one of size, rate"),
    "no setting": ((*AT_4, *ON, "--set", "core"), "such as spine.oversubscription=4"),
    "algorithm unknown": ((*AT_4, *ON, "--algorithm", "magic"), "recursive_doubling"),
    "budget without unit": (("plan", "run.h5", "--target", "64", "--budget", "9"), "2000gpu-min"),
    "two targets": (("plan", "run.h5", "--target", "6,8", "--budget", "9gpu-h"), "--target"),
    "layout unmeasured": ((*AT_4, *ON, "--layout", "measured"), "several hosts"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(collcast, campaign_file, mistake):
    (campaign_file.parent / "text.h5").write_text("no campaign", encoding="utf-8")
    arguments, named = MISTAKES[mistake]
    status, out, err = collcast(*arguments)
    assert status == 2
    assert out == ""
    assert named in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["fit", "extrapolate", "plot", "report"])
def test_a_missing_extra_is_one_line_that_names_it(collcast, monkeypatch, command):
    from collcast.analysis.commands import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    options = {"extrapolate": ("--ranks", "4"), "plot": ("-o", "a.png"), "report": ("-o", "a.html")}
    status, _, err = collcast(command, "run.h5", *options.get(command, ()))
    assert status == 2
    assert 'pip install "collcast[analysis]"' in err
    assert err.count("\n") == 1
