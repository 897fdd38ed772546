"""What the commands take, and what they refuse before anything is loaded."""

import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from sr.config import DIV2K_PARTS, FetchConfig, UpscaleConfig
from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE

NET, PHOTO = Path("net.pth"), (Path("photo.jpg"),)
COMMANDS = ("sr.upscale", "sr.evaluate", "sr.data.__main__")
# The command itself, and what it takes to parse and to fail.
LIGHT = """
import importlib, sys
importlib.import_module(sys.argv[1])
heavy = {"torch", "numpy", "plotly", "pandas", "onnxruntime", "scipy", "skimage", "PIL"} & set(sys.modules)
print(*sorted(heavy))
"""


@pytest.mark.parametrize("tile", [0, SMALLEST_SIDE, 1000])
def test_a_tile_is_none_or_as_large_as_networks_need(tile: int) -> None:
    assert UpscaleConfig(NET, PHOTO, tile=tile).tile == tile


@pytest.mark.parametrize("tile", [-1, 1, SMALLEST_SIDE - 1])
def test_a_smaller_tile_is_refused(tile: int) -> None:
    with pytest.raises(InputError, match=f"--tile must be 0 or at least {SMALLEST_SIDE}, got {tile}"):
        UpscaleConfig(NET, PHOTO, tile=tile)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"format": "bmp"}, "--format must be one of png, jpg, webp, tiff, got 'bmp'"),
     ({"format": "jpg", "quality_level": 0}, "--quality-level must be 1 to 100, got 0"),
     ({"format": "jpg", "quality_level": 101}, "--quality-level must be 1 to 100, got 101"),
     ({"format": "png", "quality_level": 90}, "--quality-level is of jpg and webp, got 90 with --format png"),
     ({"quality_level": 90}, "--quality-level is of jpg and webp, got 90 with --format left out"),
     ({"max_pixels": 0}, "--max-pixels must be at least 1, got 0")],
)  # fmt: skip
def test_what_results_cannot_be_written_as_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        UpscaleConfig(NET, PHOTO, **options)  # type: ignore[arg-type]


def test_a_config_never_changes() -> None:
    config = UpscaleConfig(NET, PHOTO)
    with pytest.raises(FrozenInstanceError):
        config.tile = 0  # type: ignore[misc]


@pytest.mark.parametrize("parts", [(), ("test",), (*DIV2K_PARTS, "test"), ("",)])
def test_unknown_parts_are_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"--parts must be train, valid or both .* got '{','.join(parts)}'"):
        FetchConfig(Path("data"), parts)


@pytest.mark.parametrize("url", ["file:///etc", "ftp://host/", ""])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InputError, match=f"--url must start with http:// or https://, got '{url}'"):
        FetchConfig(Path("data"), url=url)


@pytest.mark.parametrize("module", COMMANDS)
def test_a_command_loads_nothing_heavy_before_it_has_parsed(module: str) -> None:
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", LIGHT, module], cwd=root, capture_output=True, text=True, check=True, timeout=120
    )
    assert ended.stdout.strip() == ""
