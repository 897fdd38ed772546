"""A real browser that opens pages from the disk, what it complains of, and what stands on every page."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sr.data.images import Picture, write_picture
from sr.report.samples import BICUBIC, HR, LR, OURS, Sample

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return a headless Chromium, or skip where none, or no Playwright, is there.

    One for each file and not for the session: Playwright's event loop runs in the thread of the tests until it ends,
    and tests after it in the same process could start none.
    """
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install 'paretosr[test]'")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium is on the path")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Return what opens HTML, or an address, and fails at the end where the console had anything to say."""
    complaints: list[str] = []
    contexts = []

    def opened(page: str, *, width: int = 1280, scheme: str = "light", touch: bool = False) -> Any:
        address = page
        if not page.startswith("http"):
            path = tmp_path / "page.html"
            path.write_text(page, encoding="utf-8")
            address = path.as_uri()
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, has_touch=touch, offline=address != page
        )
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda message: complaints.append(message.text))
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.goto(address)
        return shown

    yield opened
    for context in contexts:
        context.close()
    assert complaints == [], "the console is silent"


def crops(folder: Path, *others: str) -> list[Sample]:
    """Write two crops as a run keeps them, and return them; others: what stands beside ours, bicubic, LR and HR."""
    draw = np.random.default_rng(0)
    samples = []
    for picture in ("first", "second"):
        files = {}
        for name, (height, width) in {LR: (6, 8), **dict.fromkeys((BICUBIC, OURS, HR, *others), (24, 32))}.items():
            files[name] = folder / f"{picture}-{name}.png"
            write_picture(files[name], Picture(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)))
        samples.append(Sample(picture, files, {BICUBIC: 24.5, OURS: 26.0}))
    return samples


def share_of(shown: Any) -> float:
    """Return where the line between the pictures stands, in percent."""
    return float(shown.locator(".stage").evaluate("stage => parseFloat(stage.style.getPropertyValue('--at'))"))


def slide(shown: Any) -> None:
    """Move the line between the pictures by the mouse and by the arrow keys, each of which must do."""
    box = shown.locator(".stage").bounding_box()
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    shown.mouse.down()
    shown.mouse.move(box["x"] + box["width"] / 4, box["y"] + 40)
    shown.mouse.up()
    assert share_of(shown) == pytest.approx(25, abs=2)
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("ArrowRight")
    assert share_of(shown) == pytest.approx(29, abs=3)


def press(shown: Any, kind: str) -> Any:
    """Press the first network of a kind in the first plot by the mouse; return its panel."""
    plot = shown.locator("figure.chart > svg").first
    plot.scroll_into_view_if_needed()
    marker = plot.locator(f".kind-{kind}").bounding_box()
    shown.mouse.click(marker["x"] + marker["width"] / 2, marker["y"] + marker["height"] / 2)
    return shown.locator("dialog[open]")


def downloaded_table(shown: Any) -> list[str]:
    """Return the lines of the figures that the first button offers."""
    with shown.expect_download() as download:
        shown.get_by_text("Download these figures as CSV").first.click()
    return Path(download.value.path()).read_text(encoding="utf-8").splitlines()
