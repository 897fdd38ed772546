"""The demo page beside an ONNX export, in a real browser with the real onnxruntime-web where its folder is named."""

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import nn

import baselines
from sr.demo_page import write_demo
from sr.deployment import deploy
from sr.exporting import export_onnx
from sr.lr_size import LrSize
from tests.browser.conftest import Open

NAMED_BY = "ONNXRUNTIME_WEB"
FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")

# Drops the picture at an address on the page, as a mouse does that brings it from elsewhere.
DROP = """async (address) => {
  const data = new DataTransfer();
  data.items.add(new File([await (await fetch(address)).blob()], "photo.png", { type: "image/png" }));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Return a network whose output depends on few pixels around, so that tiles agree with the whole."""
    torch.manual_seed(0)
    return deploy(baselines.build_family({"name": "ecbsr", "num_feat": 4, "num_block": 1})).eval()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Return where the folder of a test is served, on loopback."""
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.skipif(NAMED_BY not in os.environ, reason=f"{NAMED_BY} names no folder with onnxruntime-web's dist")
@pytest.mark.parametrize("lr_size", [None, (24, 40)], ids=["any size", "one size"])
@pytest.mark.parametrize("side", [20, 300])
def test_page_upscales_a_photograph_as_the_network_does(
    open_page: Open, network: nn.Module, address: str, tmp_path: Path, lr_size: LrSize | None, side: int
) -> None:
    export_onnx(network, tmp_path / "small.onnx", lr_size=lr_size)
    write_demo(tmp_path, "small.onnx", lr_size)
    (tmp_path / "demo" / "ort").mkdir()
    for name in FILES:
        (tmp_path / "demo" / "ort" / name).symlink_to(Path(os.environ[NAMED_BY]).resolve() / name)
    pixels = np.ascontiguousarray(skimage.data.astronaut()[90:120, 100 : 100 + side])
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    page = open_page(f"{address}/demo/")
    if side < 100:
        page.evaluate(DROP, "../photo.png")
    else:
        page.set_input_files("#picture", tmp_path / "photo.png")
    page.wait_for_selector("#shown:not([hidden])")
    page.wait_for_function("document.getElementById('save').href")
    with torch.inference_mode():
        sr = network(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)
    expected = (sr[0].clip(0, 1) * 255).permute(1, 2, 0).numpy()
    shown = _pixels(page)
    assert shown.shape == expected.shape
    inner = np.s_[: 4 * 26, : 4 * (side - 4)] if lr_size is not None else np.s_[:, :]
    # A picture smaller than the one size has its edge repeated, where the network pads with zeros.
    assert np.abs(shown.astype(float) - expected)[inner].max() <= 1
    with page.expect_download() as download:
        page.get_by_text("Save the network's picture").click()
    with Image.open(download.value.path()) as saved:
        assert np.array_equal(np.asarray(saved.convert("RGB")), shown)
    page.locator("#wipe").focus()
    page.keyboard.press("Home")
    assert page.evaluate("document.getElementById('stage').style.getPropertyValue('--at')") == "0%"


def _pixels(page: Any) -> Any:
    """Return the picture that the page made, (h, w, 3)."""
    width, height, values = page.evaluate(
        "(() => { const c = document.getElementById('result'); return [c.width, c.height, "
        "Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)]; })()"
    )
    return np.array(values, dtype=np.uint8).reshape(height, width, 4)[:, :, :3]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_without_the_runtime_says_what_it_needs(
    browser: Any, address: str, tmp_path: Path, width: int, scheme: str
) -> None:
    write_demo(tmp_path, "small.onnx", None)
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{address}/demo/")
    page.wait_for_selector("#runtime:not([hidden])")
    assert f"There is no onnxruntime-web at {address}/demo/ort/." in page.inner_text("#missing")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
