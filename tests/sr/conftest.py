"""Fixtures of the tests of sr."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sr.data.images import Picture, write_picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three smooth pictures of different sizes."""
    generator = np.random.default_rng(0)
    for name, (height, width) in {"small": (64, 80), "large": (96, 72), "tiny": (24, 20)}.items():
        coarse = generator.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
        smooth = F.interpolate(torch.from_numpy(coarse).permute(2, 0, 1)[None].float(), scale_factor=4, mode="bilinear")
        rgb = smooth[0].permute(1, 2, 0).round().numpy().astype(np.uint8)
        write_picture(tmp_path / "pictures" / f"{name}.png", Picture(rgb))
    return tmp_path / "pictures"
