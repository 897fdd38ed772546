from pathlib import Path

import torch

from sr.data.sources import load_pairs
from sr.quantization.calibration import calibration_pictures, smooth_pictures


def test_calibration_pictures_are_lr_in_range(folder: Path) -> None:
    pairs = load_pairs(folder, "train")
    pictures = calibration_pictures(pairs, 2)
    assert len(pictures) == 2
    assert all(picture.shape[:2] == (1, 3) and 0 <= picture.min() <= picture.max() <= 1 for picture in pictures)
    assert len(calibration_pictures(pairs, 100)) == len(pairs)


def test_smooth_pictures_are_the_same_every_time() -> None:
    shapes = [(1, 3, 16, 24), (1, 8)]
    first, again = smooth_pictures(shapes), smooth_pictures(shapes)
    assert [tuple(picture.shape) for picture in first] == shapes
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    # Neighbours differ less than those of noise, whose mean difference is a third.
    assert first[0].diff(dim=3).abs().mean() < 0.15
