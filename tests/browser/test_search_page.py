"""The page of a search in a real browser: pictures, plots and panels by mouse, finger and keyboard."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.page import synthetic_run
from nas.report.comparison import comparison_page
from nas.report.page import search_page
from sr.data.images import Picture, write_picture
from sr.report.live import live_page
from sr.report.samples import BICUBIC, HR, LR, OURS, Sample
from tests.browser.conftest import Open


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder, draw = tmp_path_factory.mktemp("samples"), np.random.default_rng(0)
    samples = []
    for picture in ("first", "second"):
        files = {}
        for name, (height, width) in {LR: (6, 8), BICUBIC: (24, 32), OURS: (24, 32), HR: (24, 32)}.items():
            files[name] = folder / f"{picture}-{name}.png"
            write_picture(files[name], Picture(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)))
        samples.append(Sample(picture, files, {BICUBIC: 24.5, OURS: 26.0}))
    return search_page(synthetic_run(Path("runs/<forty>"), 60, samples))


def share_of(shown: Any) -> float:
    """Return where the line between the pictures stands, in percent."""
    return float(shown.locator(".stage").evaluate("stage => parseFloat(stage.style.getPropertyValue('--at'))"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")])
def test_page_fits_the_screen_and_follows_the_scheme(page: str, open_page: Open, width: int, scheme: str) -> None:
    shown = open_page(page, width=width, scheme=scheme)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) > 384) == (scheme == "light")
    assert shown.evaluate("[...document.images].every(each => each.hasAttribute('alt'))")


def test_slider_is_moved_by_a_mouse_by_a_finger_and_by_arrow_keys(page: str, open_page: Open) -> None:
    shown = open_page(page, touch=True)
    box = shown.locator(".stage").bounding_box()
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    shown.mouse.down()
    shown.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40)
    shown.mouse.up()
    assert share_of(shown) == pytest.approx(25, abs=2)
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("ArrowRight")
    assert share_of(shown) == pytest.approx(29, abs=3)
    shown.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + 40)
    assert share_of(shown) == pytest.approx(75, abs=2)


def test_pictures_are_chosen_by_the_keyboard(page: str, open_page: Open) -> None:
    shown = open_page(page)
    shown.locator(".versions:visible button", has_text="original").focus()
    shown.keyboard.press("Enter")
    assert shown.locator(".tag.of-left").inner_text() == "original (HR)"
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
    said = shown.locator("figure.chart .tip").first.inner_text()
    assert "ms" in said
    assert "activations" in said
    for _ in range(3):
        shown.keyboard.press("ArrowUp")
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
    plot = shown.locator("figure.chart > svg").first
    plot.scroll_into_view_if_needed()
    star = plot.locator(".kind-chosen").bounding_box()
    shown.mouse.click(star["x"] + star["width"] / 2, star["y"] + star["height"] / 2)
    panel = shown.locator("dialog[open]")
    assert "--pick chosen" in panel.inner_text()
    with shown.expect_download() as download:
        panel.get_by_text("Download its description").click()
    values = json.loads(Path(download.value.path()).read_text())
    assert set(values) == {"num_feat", "blocks", "upsampler", "image_skip", "aggregation", "norm"}


def test_figures_download_as_csv(page: str, open_page: Open) -> None:
    shown = open_page(page)
    with shown.expect_download() as download:
        shown.get_by_text("Download these figures as CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("id,kind,psnr,ms,p10,p90")
    assert len(lines) == 1 + 60 + 3, "candidates and three designed by hand"


def test_served_page_shows_itself_anew_when_the_record_changes(open_page: Open) -> None:
    state = {"stamp": "1"}

    def build() -> str:
        return search_page(synthetic_run(Path("runs/forty"), 20 + int(state["stamp"])))

    with live_page(build, lambda: state["stamp"], 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shown = open_page(f"http://127.0.0.1:{server.server_port}/")
        assert "21" in shown.locator(".facts").inner_text()
        state["stamp"] = "5"
        shown.wait_for_function("document.querySelector('.facts').innerText.includes('25')", timeout=20_000)
        shown.close()
        server.shutdown()


def test_searches_side_by_side_are_drawn(open_page: Open) -> None:
    shown = open_page(comparison_page([synthetic_run(Path(name), 30) for name in ("one", "two")]))
    assert shown.locator("figure.chart text.name").count() == 2
