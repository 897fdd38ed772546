"""Weights of cut convolutions, worked out by hand."""

import torch
from torch import nn

from prune.graph.operators.convolutions import conv_like, slice_conv


def test_a_convolution_like_another_has_its_form():
    old = nn.Conv2d(6, 6, (3, 1), stride=2, padding=(1, 0), bias=False, dtype=torch.float64)
    new = conv_like(old, 2, 4)
    assert new.weight.shape == (4, 2, 3, 1)
    assert (new.stride, new.padding, new.bias, new.weight.dtype) == ((2, 2), (1, 0), None, torch.float64)


def test_weights_between_kept_channels_are_zero():
    old = nn.Conv2d(3, 3, 1)
    new = slice_conv(old, ((2, 1, 0), (2, 0)), ((1, 2), (2,)))
    assert new.weight[0].abs().sum() == 0
    assert new.bias[0] == 0
    assert torch.equal(new.weight[1, :, 0, 0], old.weight[2, [2, 1, 0], 0, 0] * torch.tensor([1.0, 0.0, 1.0]))
    assert new.bias[1] == old.bias[2]
