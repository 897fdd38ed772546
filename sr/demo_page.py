"""A page beside an ONNX export that upscales a dropped picture in the browser, by onnxruntime-web."""

import json
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from sr.files import write_text
from sr.lr_size import LrSize
from sr.scale import DEFAULT_SCALE

PAGE = Path("demo") / "index.html"
_ASSET = files("sr.report") / "assets" / "demo.html"
_PLACE = "__MODEL__"


def write_demo(folder: Path, network: str, lr_size: LrSize | None, scale: int = DEFAULT_SCALE) -> Path:
    """Write the page into a folder with an ONNX file, and return where it is.

    Args:
        folder: Where the ONNX file is.
        network: Its name.
        lr_size: Height and width of the one picture that it takes; None for any.
        scale: Its scale.

    Raises:
        InputError: Where the page cannot be written.
    """
    path = folder / PAGE
    write_text(path, demo_page(network, lr_size, scale))
    return path


def demo_page(network: str, lr_size: LrSize | None, scale: int = DEFAULT_SCALE) -> str:
    """Return the page of an ONNX file that lies in the folder above it; otherwise as `write_demo`."""
    model = {"name": network, "file": f"../{quote(network)}", "size": lr_size, "scale": scale}
    # No text of it may end the script that it stands in.
    text = json.dumps(model).replace("<", "\\u003c")
    return _ASSET.read_text(encoding="utf-8").replace(_PLACE, text)
