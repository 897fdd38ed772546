from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sr.data.degradation import TAPS, crop_to_multiple, cubic, downscale, upscale_bicubic, weights
from sr.data.images import picture_paths, read_picture

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize(("dataset", "count"), [("Set5", 5), ("Set14", 14)])
def test_matlab_bit_for_bit(shared: Path, dataset: str, count: int) -> None:
    paths = picture_paths(shared / "data" / dataset / "HR")
    assert len(paths) == count
    for path in paths:
        given_lr = read_picture(shared / "data" / dataset / "LRx4" / path.name).rgb
        assert np.array_equal(downscale(read_picture(path).rgb), given_lr), path.name


def test_the_weights_are_exact_in_integers() -> None:
    taps = [cubic(abs(2 * tap - (TAPS - 1)) / 8) / 4 * 4096 for tap in range(TAPS)]
    assert weights() == taps
    assert sum(weights()) == 4096
    assert weights() == weights()[::-1]


@given(value=st.integers(0, 255), height=st.integers(4, 23), width=st.integers(4, 23))
def test_a_flat_picture_stays_flat_and_the_rest_is_cut(value: int, height: int, width: int) -> None:
    lr = downscale(np.full((height, width, 3), value, np.uint8))
    assert lr.shape == (height // 4, width // 4, 3)
    assert (lr == value).all()


@given(arrays.arrays(np.uint8, (12, 16, 3)))
def test_mirrored_in_mirrored_out(hr: np.ndarray) -> None:
    assert np.array_equal(downscale(hr[::-1]), downscale(hr)[::-1])
    assert np.array_equal(downscale(hr[:, ::-1]), downscale(hr)[:, ::-1])


@given(arrays.arrays(np.uint8, (10, 11, 3)))
def test_the_crop_keeps_the_top_left(hr: np.ndarray) -> None:
    assert np.array_equal(crop_to_multiple(hr), hr[:8, :8])
    assert np.array_equal(downscale(hr), downscale(hr[:8, :8]))


@pytest.mark.parametrize(
    "hr", [np.zeros((3, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint16), np.zeros((8, 8), np.uint8)]
)
def test_what_cannot_be_shrunk_is_refused(hr: np.ndarray) -> None:
    with pytest.raises(ValueError, match="HR must be"):
        downscale(hr)


def test_plain_bicubic_is_4_times_as_large_and_stays_in_range() -> None:
    lr = torch.rand(2, 3, 5, 7).round()
    sr = upscale_bicubic(lr)
    assert sr.shape == (2, 3, 20, 28)
    assert sr.min() == 0
    assert sr.max() == 1
    assert torch.allclose(upscale_bicubic(torch.full((1, 3, 4, 4), 0.25)), torch.tensor(0.25))
