"""The page of a search in a real browser: pictures, plots and panels by mouse, finger and keyboard."""

import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.page import synthetic_run
from nas.optuna_backend.study import OptunaStudy
from nas.report.comparison import comparison_page
from nas.report.page import search_page
from nas.report.run import JOURNAL
from search_spaces import SPACES
from sr.report.live import live_page
from tests.browser.conftest import Open, crops, downloaded_table, press, share_of, slide


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    samples = crops(tmp_path_factory.mktemp("samples"), "ecbsr num_feat=16", "rfdn num_feat=16")
    return search_page(synthetic_run(Path("runs/<forty>"), 60, samples))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")])
def test_page_fits_the_screen_and_follows_the_scheme(page: str, open_page: Open, width: int, scheme: str) -> None:
    shown = open_page(page, width=width, scheme=scheme)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 384) == (scheme == "light")
    assert shown.evaluate("[...document.images].every(each => each.hasAttribute('alt'))")


def test_slider_is_moved_by_a_mouse_by_a_finger_and_by_arrow_keys(page: str, open_page: Open) -> None:
    shown = open_page(page, touch=True)
    slide(shown)
    box = shown.locator(".stage").bounding_box()
    shown.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + 40)
    assert share_of(shown) == pytest.approx(75, abs=2)


def test_pictures_are_chosen_by_the_keyboard(page: str, open_page: Open) -> None:
    shown = open_page(page)
    shown.locator(".versions:visible button", has_text="original").focus()
    shown.keyboard.press("Enter")
    assert shown.locator(".tag.of-left").inner_text() == "original (HR)"
    assert shown.locator(".versions:visible button").all_inner_texts()[3] == "ecbsr, 16 channels"
    assert shown.locator(".versions:visible button").count() == 5, "of those designed by hand the best alone"
    shown.locator(".crops button").nth(1).press("Enter")
    assert "second" in shown.locator(".stage img.left").get_attribute("alt")


def test_names_in_a_plot_never_overlap(page: str, open_page: Open) -> None:
    for width in (1280, 400):
        shown = open_page(page, width=width)
        boxes = shown.evaluate(
            """[...document.querySelectorAll('figure.chart')].map(chart => [...chart.querySelectorAll('text.name')].map(
            text => { const box = text.getBoundingClientRect();
            return [box.left, box.top + 2, box.right, box.bottom - 2]; }))"""
        )
        assert any(len(each) > 2 for each in boxes)
        for chart in boxes:
            for index, one in enumerate(chart):
                for other in chart[:index]:
                    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                    assert apart, (width, one, other)


def test_panel_opens_by_the_keyboard_and_gives_the_focus_back(page: str, open_page: Open) -> None:
    shown = open_page(page)
    plot = shown.locator("figure.chart > svg").first
    plot.focus()
    shown.keyboard.press("ArrowRight")
    tip = shown.locator("figure.chart .tip").first
    said = tip.inner_text()
    assert "ms" in said
    assert "activations" in said
    steps = 0
    while "(front: " not in tip.inner_text():
        shown.keyboard.press("ArrowUp")
        steps += 1
        assert steps < 20, "upwards leads from one network that counts to the next"
    shown.keyboard.press("Enter")
    panel = shown.locator("dialog[open]")
    assert panel.locator("svg[role=img]").get_attribute("aria-label").startswith("Diagram: LR picture")
    assert "python -m nas.export 'runs/<forty>' --pick " in panel.inner_text()
    assert "multiply-adds" in panel.inner_text()
    shown.keyboard.press("Escape")
    assert shown.locator("dialog[open]").count() == 0
    assert plot.evaluate("plot => plot === document.activeElement")


def test_panel_opens_by_the_mouse_and_its_description_downloads(page: str, open_page: Open) -> None:
    shown = open_page(page)
    panel = press(shown, "chosen")
    assert "--pick chosen" in panel.inner_text()
    with shown.expect_download() as download:
        panel.get_by_text("Download its description").click()
    values = json.loads(Path(download.value.path()).read_text())
    assert set(values) == {"num_feat", "blocks", "upsampler", "image_skip", "aggregation", "norm"}


def test_figures_download_as_csv(page: str, open_page: Open) -> None:
    lines = downloaded_table(open_page(page))
    assert lines[0].startswith("id,kind,psnr,ms,p10,p90")
    assert len(lines) == 1 + 60 + 3, "candidates and three designed by hand"


def test_served_page_shows_itself_anew_when_the_record_changes(open_page: Open) -> None:
    state = {"stamp": "1"}

    def build() -> str:
        return search_page(synthetic_run(Path("runs/forty"), 60 + int(state["stamp"])))

    with live_page(build, lambda: state["stamp"], 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shown = open_page(f"http://127.0.0.1:{server.server_port}/")
        assert "61" in shown.locator(".facts").inner_text()
        state["stamp"] = "5"
        shown.wait_for_function("document.querySelector('.facts').innerText.includes('65')", timeout=60_000)
        shown.close()
        server.shutdown()


def test_page_of_a_search_that_goes_on_is_served_by_the_command(open_page: Open, tmp_path: Path) -> None:
    run, space = synthetic_run(tmp_path, 60), SPACES["msrresnet"]
    study = OptunaStudy(space, "search", str(tmp_path / JOURNAL), run.budget_ms)
    study.remember({**run.settings, "phase": "search"})

    def tell(count: int) -> None:
        for trial in run.trials[len(study.trials) :][:count]:
            number, _ = study.ask(lambda _number, _trials, trial=trial: space.encode(trial.architecture))
            study.tell(replace(trial, number=number))

    tell(6)
    command = [sys.executable, "-m", "nas.report", str(tmp_path), "--serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            (address,) = re.findall(r"http://127\.0\.0\.1:\d+/", serving.stdout.readline())
            shown = open_page(address)
            assert shown.locator("h1").inner_text().startswith("Searching for")
            assert "6\ncandidates measured" in shown.locator(".facts").inner_text()
            tell(4)
            shown.wait_for_function("document.querySelector('.facts').innerText.startsWith('10\\n')", timeout=60_000)
            shown.close()
        finally:
            serving.terminate()
        assert serving.stderr is not None
        assert "Traceback" not in serving.stderr.read()


def test_searches_side_by_side_are_drawn(open_page: Open) -> None:
    shown = open_page(comparison_page([synthetic_run(Path(name), 60) for name in ("one", "two")]))
    assert shown.locator("figure.chart text.name").count() == 2
    assert len(downloaded_table(shown)) == 1 + 2
