from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sr.data.degradation import crop_to_multiple, degrade, upscale_bicubic, weight_unit, weights
from sr.data.images import picture_paths, read_picture
from sr.scale import SCALES

pytestmark = pytest.mark.numeric


def imresize(hr: np.ndarray, scale: int) -> np.ndarray:
    """MATLAB's imresize(hr, 1 / scale, "bicubic") as it is written there, in doubles: rows first, rounded, columns."""
    for axis in (0, 1):
        length = hr.shape[axis]
        # Counted from 1, as there: where an LR pixel's centre lies, and the HR pixels that the kernel reaches.
        centres = np.arange(1, length // scale + 1) * scale + 0.5 * (1 - scale)
        reached = np.floor(centres - 2 * scale)[:, None] + np.arange(4 * scale + 2)
        x = np.abs(centres[:, None] - reached) / scale
        near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        kernel = np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
        kernel /= kernel.sum(1, keepdims=True)
        taken = np.take(hr.astype(np.float64), np.clip(reached, 1, length).astype(int) - 1, axis)
        total = np.moveaxis((np.moveaxis(taken, (axis, axis + 1), (0, 1)) * kernel[..., None, None]).sum(1), 0, axis)
        hr = np.clip(np.floor(total + 0.5), 0, 255)
    return hr.astype(np.uint8)


@pytest.mark.parametrize(("dataset", "count"), [("Set5", 5), ("Set14", 14)])
def test_matlab_bit_for_bit(shared: Path, dataset: str, count: int) -> None:
    paths = picture_paths(shared / "data" / dataset / "HR")
    assert len(paths) == count
    for path in paths:
        given_lr = read_picture(shared / "data" / dataset / "LRx4" / path.name).rgb
        assert np.array_equal(degrade(read_picture(path).rgb), given_lr), path.name


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_is_matlabs_formula_in_doubles(scale: int) -> None:
    hr = np.random.default_rng(scale).integers(0, 256, (40 * scale, 30 * scale, 3), np.uint8)
    assert np.array_equal(degrade(hr, scale), imresize(hr, scale))
    # What overshoots most: edges between the darkest and the brightest.
    edges = np.where(hr > 127, 255, 0).astype(np.uint8)
    assert np.array_equal(degrade(edges, scale), imresize(edges, scale))


@pytest.mark.parametrize("scale", SCALES)
def test_the_weights_are_exact_in_integers(scale: int) -> None:
    taps, whole = weights(scale), weight_unit(scale)
    middle = Fraction(len(taps) - 1, 2)
    distances = [abs(tap - middle) / scale for tap in range(len(taps))]
    expected = [(3 * x**3 - 5 * x**2 + 2) / 2 if x <= 1 else (-(x**3) + 5 * x**2 - 8 * x + 4) / 2 for x in distances]
    assert [Fraction(weight, whole) for weight in taps] == [each / scale for each in expected]
    assert sum(taps) == whole
    # No pixel beyond them is within the kernel, which ends at 2.
    assert (middle + 1) / scale >= 2


def test_no_sum_of_x3_is_a_half() -> None:
    """Else an error of MATLAB's doubles, which hold no thirds, could round it the other way."""
    shares = [Fraction(weight, weight_unit(3)) for weight in weights(3)]
    assert all(81 % share.denominator == 0 for share in shares)


@given(value=st.integers(0, 255), height=st.integers(4, 23), width=st.integers(4, 23), scale=st.sampled_from(SCALES))
def test_a_flat_picture_stays_flat_and_the_rest_is_cut(value: int, height: int, width: int, scale: int) -> None:
    lr = degrade(np.full((height, width, 3), value, np.uint8), scale)
    assert lr.shape == (height // scale, width // scale, 3)
    assert (lr == value).all()


@given(arrays.arrays(np.uint8, (12, 24, 3)), st.sampled_from(SCALES))
def test_mirrored_in_mirrored_out(hr: np.ndarray, scale: int) -> None:
    assert np.array_equal(degrade(hr[::-1], scale), degrade(hr, scale)[::-1])
    assert np.array_equal(degrade(hr[:, ::-1], scale), degrade(hr, scale)[:, ::-1])


@given(arrays.arrays(np.uint8, (10, 11, 3)))
def test_the_crop_keeps_the_top_left(hr: np.ndarray) -> None:
    for scale, (height, width) in {2: (10, 10), 3: (9, 9), 4: (8, 8)}.items():
        assert np.array_equal(crop_to_multiple(hr, scale), hr[:height, :width])
        assert np.array_equal(degrade(hr, scale), degrade(hr[:height, :width], scale))


@pytest.mark.parametrize(
    "hr", [np.zeros((3, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint16), np.zeros((8, 8), np.uint8)]
)
def test_what_cannot_be_shrunk_is_refused(hr: np.ndarray) -> None:
    with pytest.raises(ValueError, match="HR must be"):
        degrade(hr)


@pytest.mark.parametrize("scale", SCALES)
def test_plain_bicubic_is_as_large_as_the_scale_says_and_stays_in_range(scale: int) -> None:
    lr = torch.rand(2, 3, 5, 7).round()
    sr = upscale_bicubic(lr, scale)
    assert sr.shape == (2, 3, scale * 5, scale * 7)
    assert sr.min() == 0
    assert sr.max() == 1
    assert torch.allclose(upscale_bicubic(torch.full((1, 3, 4, 4), 0.25), scale), torch.tensor(0.25))
