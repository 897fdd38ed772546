"""A real browser that opens pages from the disk, and what it complains of."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a headless Chromium, or skip where none, or no Playwright, is there."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome")
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
