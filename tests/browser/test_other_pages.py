"""The pages of a pruning and of a league in a real browser."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from baselines.league.page import write_page
from baselines.league.record import Result
from baselines.league.standings import Standing, Standings
from nas.report.shown import shown_page
from prune.outcomes import DENSE, Layer, Outcome
from prune.report import page
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions
from sr.report.live import live_page
from tests.browser.conftest import Open, crops, downloaded_table, press, slide


def measured(ms: float, psnr: float) -> Measurement:
    return Measurement(
        Complexity(1_200_000, 40 * 10**9, 41 * 10**9, round(ms * 10**6), 91, 2**27),
        Runtime(ms, 0.9 * ms, 1.2 * ms, 40, reliable=True, memory_format="contiguous"),
        Conditions("device", "driver", "versions", 2, (256, 256), "float32"),
        20.0,
        Quality(psnr, psnr + 1.5, 0.81234, 5),
    )


@pytest.fixture(scope="module")
def pruning(tmp_path_factory: pytest.TempPathFactory) -> str:
    layers = (Layer("head", 3, 46, 3, 23, 2.0, 1.25), Layer("body", 46, 46, 0, 0, 4.0, None))
    outcomes = [
        Outcome(DENSE, measured(300, 28.45), (), None),
        Outcome("per-layer (blended)", measured(141, 28.41), layers, 2e-7),
        Outcome("group", measured(143, 28.36), layers, 2e-7),
    ]
    samples = crops(tmp_path_factory.mktemp("samples"), DENSE)
    return page(outcomes, title="Pruning hcsrn.pth", command="python -m prune.run", notes=[], samples=samples)


@pytest.fixture(scope="module")
def league(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("league") / "league.html"
    write_page(path, standings())
    return path.read_text(encoding="utf-8")


def standings(*others: tuple[str, str, float, float]) -> Standings:
    """Return a league at x2 of three networks and of others: name, kind, runtime and PSNR."""
    quality = Quality(26.0, 27.5, 0.8, 5)
    members = [
        Standing(name, kind, measured(ms, 1.0), (Result(100, 0, 1e-3, 9.0, {"Set14": replace(quality, psnr=psnr)}),))
        for name, kind, ms, psnr in (
            ("rfdn num_feat=16", "hand-designed", 33.0, 25.9),
            ("imdn num_feat=16", "hand-designed", 33.2, 25.9),
            ("ours", "searched", 35.0, 26.1),
            *others,
        )
    ]
    return Standings(43.0, ("Set14",), {"Set14": replace(quality, psnr=24.5)}, tuple(members), scale=2)


@pytest.mark.parametrize("which", ["pruning", "league"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_page_fits_the_screen_and_follows_the_scheme(
    open_page: Open, request: pytest.FixtureRequest, which: str, width: int, scheme: str
) -> None:
    shown = open_page(request.getfixturevalue(which), width=width, scheme=scheme)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 384) == (scheme == "light")
    assert shown.evaluate("[...document.images].every(each => each.hasAttribute('alt'))")


def test_page_of_a_pruning_is_used_by_mouse_and_keyboard(open_page: Open, pruning: str) -> None:
    shown = open_page(pruning)
    assert shown.locator("h1").inner_text().startswith("Pruning hcsrn.pth: 2.13 times as fast, -0.04")
    assert shown.locator(".tag.of-left").inner_text() == "before pruning"
    slide(shown)
    shown.locator("figure.chart > svg").focus()
    shown.keyboard.press("Home")
    shown.keyboard.press("Enter")
    assert shown.locator("dialog[open] h2").inner_text() == "per-layer (blended): ours"
    shown.keyboard.press("Escape")
    assert press(shown, "dense").locator("h2").inner_text() == "dense: before pruning"
    shown.get_by_text("Close").click()
    assert [line.split(",")[0] for line in downloaded_table(shown)] == [
        "id", '"dense"', '"per-layer (blended)"', '"group"',
    ]  # fmt: skip
    shown.locator("summary", has_text="group").press("Enter")
    assert shown.get_by_text("4.00 ms before, gone").filter(visible=True).count() == 1


def test_page_of_a_league_is_used_by_mouse_and_keyboard(open_page: Open, league: str) -> None:
    shown = open_page(league)
    heading = shown.locator("h1").inner_text()
    assert heading.startswith("\N{MULTIPLICATION SIGN}2 super-resolution within 43\N{NO-BREAK SPACE}ms")
    assert "ours is the best on Set14 within the budget: 26.10 dB in 35.0 ms" in shown.locator(".lead").inner_text()
    assert shown.locator("figure.chart text.name").count() == 3
    assert press(shown, "searched").locator("h2").inner_text() == "ours: searched"
    shown.keyboard.press("Escape")
    shown.locator("figure.chart > svg").focus()
    shown.keyboard.press("End")
    shown.keyboard.press("Enter")
    assert shown.locator("dialog[open] h2").inner_text() == "ours: searched"
    shown.keyboard.press("Escape")
    assert len(downloaded_table(shown)) == 1 + 3


def test_budget_far_on_the_left_does_not_hide_what_the_axis_is(open_page: Open, tmp_path: Path) -> None:
    write_page(tmp_path / "league.html", standings(("pruned p", "pruned", 300.0, 26.3)))
    shown = open_page((tmp_path / "league.html").read_text(encoding="utf-8"), width=400)
    axis, budget = (shown.locator("svg text", has_text=text).bounding_box() for text in ("PSNR (dB)", "budget 43 ms"))
    assert axis["x"] + axis["width"] <= budget["x"]
    assert budget["x"] + budget["width"] <= 400


def test_page_of_a_league_shows_itself_once_it_is_written(open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "runtimes-0f.json").touch()
    kept = shown_page(tmp_path)
    with live_page(kept.build, kept.stamp, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shown = open_page(f"http://127.0.0.1:{server.server_port}/")
        assert "the league in" in shown.inner_text("main")
        assert "has no page yet" in shown.inner_text("main")
        write_page(tmp_path / "league.html", standings())
        shown.wait_for_selector("figure.chart > svg", timeout=30_000)
        shown.close()
        server.shutdown()
