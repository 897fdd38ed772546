"""Layouts and weights, worked out by hand."""

import pytest
import torch
from torch import nn

from prune.cuts import cut_conv, cut_prelu, expanded, like, within


@pytest.mark.parametrize(("reach", "expected"), [("gather", (4, 2)), ("slice", (4, 0, 2)), ("fold", (1, 4, 0, 2, 3))])
def test_what_is_computed_to_reach_some_channels(reach, expected):
    assert within((1, 4, 0, 2, 3), (2, 4), reach) == expected


def test_a_channel_is_four_before_a_pixel_shuffle():
    assert expanded((2, 0), 2) == (8, 9, 10, 11, 0, 1, 2, 3)


def test_a_convolution_like_another_has_its_form():
    old = nn.Conv2d(6, 6, (3, 1), stride=2, padding=(1, 0), bias=False, dtype=torch.float64)
    new = like(old, 2, 4)
    assert new.weight.shape == (4, 2, 3, 1)
    assert (new.stride, new.padding, new.bias, new.weight.dtype) == ((2, 2), (1, 0), None, torch.float64)


def test_weights_between_kept_channels_are_zero():
    old = nn.Conv2d(3, 3, 1)
    new = cut_conv(old, ((2, 1, 0), (2, 0)), ((1, 2), (2,)))
    assert new.weight[0].abs().sum() == 0
    assert new.bias[0] == 0
    assert torch.equal(new.weight[1, :, 0, 0], old.weight[2, [2, 1, 0], 0, 0] * torch.tensor([1.0, 0.0, 1.0]))
    assert new.bias[1] == old.bias[2]


def test_slopes_go_with_their_channels_and_one_slope_is_for_all():
    slopes, one = nn.PReLU(3), nn.PReLU()
    with torch.no_grad():
        slopes.weight.copy_(torch.tensor([0.1, 0.2, 0.3]))
    assert cut_prelu(slopes, (2, 0)).weight.tolist() == pytest.approx([0.3, 0.1])
    assert cut_prelu(one, (2, 0)) is one
