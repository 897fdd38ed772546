"""The pages of a pruning and of a league in a real browser."""

from dataclasses import replace
from pathlib import Path

import pytest

from baselines.league.page import write_page
from baselines.league.record import Result
from baselines.league.standings import Standing, Standings
from prune.outcomes import Layer, Outcome
from prune.report import page
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions
from tests.browser.conftest import Open


def measured(ms: float, psnr: float) -> Measurement:
    return Measurement(
        Complexity(1_200_000, 40 * 10**9, 41 * 10**9, round(ms * 10**6), 91, 2**27),
        Runtime(ms, 0.9 * ms, 1.2 * ms, 40, reliable=True, memory_format="contiguous"),
        Conditions("device", "driver", "versions", 2, (256, 256), "float32"),
        20.0,
        Quality(psnr, psnr + 1.5, 0.81234, 5),
    )


@pytest.mark.parametrize("width", [1280, 400])
def test_page_of_a_pruning_opens_a_network(open_page: Open, width: int) -> None:
    layers = (Layer("head", 3, 46, 3, 23, 2.0, 1.25), Layer("body", 46, 46, 0, 0, 4.0, None))
    outcomes = [
        Outcome("dense", measured(300, 28.45), (), None),
        Outcome("per-layer (blended)", measured(141, 28.41), layers, 2e-7),
        Outcome("group", measured(143, 28.36), layers, 2e-7),
    ]
    shown = open_page(page(outcomes, title="HCSRN", command="python -m prune.run", notes=[]), width=width)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    shown.locator("figure.chart > svg").focus()
    shown.keyboard.press("Home")
    shown.keyboard.press("Enter")
    assert shown.locator("dialog[open] h2").inner_text() == "per-layer (blended): ours"


@pytest.mark.parametrize("width", [1280, 400])
def test_page_of_a_league_names_its_networks(open_page: Open, tmp_path: Path, width: int) -> None:
    quality = Quality(26.0, 27.5, 0.8, 5)
    members = [
        Standing(name, kind, measured(ms, 1.0), (Result(100, 0, 1e-3, 9.0, {"Set14": replace(quality, psnr=psnr)}),))
        for name, kind, ms, psnr in (
            ("rfdn num_feat=16", "hand-designed", 33.0, 25.9),
            ("imdn num_feat=16", "hand-designed", 33.2, 25.9),
            ("ours", "searched", 35.0, 26.1),
        )
    ]
    standings = Standings(40.0, ("Set14",), {"Set14": replace(quality, psnr=24.5)}, tuple(members))
    write_page(tmp_path / "league.html", standings)
    shown = open_page((tmp_path / "league.html").read_text(), width=width)
    assert shown.locator("figure.chart text.name").count() == 3
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
