"""Pictures of every kind, small."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms


@pytest.fixture
def exif() -> bytes:
    """Return EXIF that says: turned by 90 degrees, 7 wide and 5 high, by a maker."""
    made = Image.Exif()
    made[271], made[274] = "Maker", 6
    made[34665] = {36867: "2026:01:02 03:04:05", 37500: b"note of the maker", 40962: 7, 40963: 5}
    made[34853] = {1: "N", 2: (48.0, 8.0, 14.0)}
    return made.tobytes()[6:]


@pytest.fixture(scope="session")
def srgb_icc() -> bytes:
    """Return sRGB's own profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def animation(tmp_path: Path) -> Path:
    """Return a GIF of three frames, 12x10, of which the last is half transparent."""
    pixels = np.zeros((3, 10, 12, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = np.array([0, 120, 240])[:, None, None], 255
    # A frame without any is cleared to an opaque colour, as Pillow reads it.
    pixels[:, 0, 11, 3] = 0
    pixels[2, :, 6:, 3] = 0
    frames = [Image.fromarray(each) for each in pixels]
    frames[0].save(
        tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0, disposal=2
    )
    return tmp_path / "moving.gif"
