"""The page beside an ONNX file: whole in itself, and it names the file."""

import json
import re
from pathlib import Path

import pytest

from sr.demo_page import demo_page, write_demo
from sr.lr_size import LrSize
from sr.scale import SCALES


@pytest.mark.parametrize(("name", "address"), [("network.onnx", "../network.onnx"), ("a b#.onnx", "../a%20b%23.onnx")])
@pytest.mark.parametrize("lr_size", [None, (270, 480)])
@pytest.mark.parametrize("scale", SCALES)
def test_page_names_the_network_its_size_and_its_scale(
    name: str, address: str, lr_size: LrSize | None, scale: int
) -> None:
    found = re.search(r"const MODEL = (.*);", demo_page(name, lr_size, scale))
    assert found is not None
    size = None if lr_size is None else list(lr_size)
    assert json.loads(found[1]) == {"name": name, "file": address, "size": size, "scale": scale}


def test_page_brings_all_that_it_needs_but_the_runtime(tmp_path: Path) -> None:
    path = write_demo(tmp_path, "network.onnx", None)
    assert path == tmp_path / "demo" / "index.html"
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "https://" not in page.replace("https://.../dist/", "")
    assert "python -m http.server 8000" in page
    assert len(page) < 20_000


def test_a_name_cannot_end_the_script() -> None:
    assert demo_page("</script>.onnx", None).count("</script>") == 1
