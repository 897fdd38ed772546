"""The mean colour, the enlargement and the shuffle, by hand."""

import pytest
import torch
import torch.nn.functional as F

from baselines.parts.rescale import RGB_MEAN, enlarged, mean_colour, mean_shift, steps, upsampler
from sr.scale import SCALES


@pytest.mark.numeric
def test_mean_shift_adds_the_mean_and_takes_it_back():
    lr = torch.rand(1, 3, 4, 5, dtype=torch.float64) * 255
    shifted = mean_shift(-1).double()(lr)
    # The mean is float32's.
    torch.testing.assert_close(shifted, lr - (255 * mean_colour()).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(mean_shift(1).double()(shifted), lr, rtol=0, atol=1e-12)
    assert not any(parameter.requires_grad for parameter in mean_shift(1).parameters())


@pytest.mark.numeric
def test_mean_colour_is_per_channel():
    assert mean_colour().shape == (1, 3, 1, 1)
    torch.testing.assert_close(mean_colour().flatten(), torch.tensor(RGB_MEAN))


@pytest.mark.numeric
def test_enlarged_equals_interpolation_by_a_factor():
    lr = torch.rand(1, 3, 5, 7, dtype=torch.float64)
    for mode in ("bilinear", "bicubic"):
        for scale in SCALES:
            expected = F.interpolate(lr, scale_factor=scale, mode=mode, align_corners=False)
            torch.testing.assert_close(enlarged(lr, mode, scale), expected)
    assert torch.equal(enlarged(lr, "bicubic"), enlarged(lr, "bicubic", 4))


def test_upsampler_makes_pictures():
    assert upsampler(6)(torch.rand(2, 6, 5, 7)).shape == (2, 3, 20, 28)
    assert upsampler(6, 3)(torch.rand(2, 6, 5, 7)).shape == (2, 3, 15, 21)


def test_steps_come_to_the_scale_and_are_two_for_the_usual_one():
    assert [steps(scale) for scale in SCALES] == [(2,), (3,), (2, 2)]
