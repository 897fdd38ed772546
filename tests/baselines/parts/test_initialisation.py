"""How convolutions start."""

import math

import torch
from torch import nn

from baselines.parts.initialisation import start_small


def test_kernels_start_at_a_tenth_of_kaimings_deviation_and_biases_at_zero():
    conv = nn.Conv2d(64, 64, 3)
    start_small(conv)
    # Of 36,864 values drawn: within 2 % of the deviation they are drawn with.
    expected = 0.1 * math.sqrt(2 / (64 * 9))
    assert abs(float(conv.weight.detach().double().std()) / expected - 1) < 0.02
    assert not conv.bias.any()


def test_a_convolution_without_bias_stays_without():
    conv = nn.Conv2d(3, 4, 1, bias=False)
    start_small(conv)
    assert conv.bias is None
    assert torch.isfinite(conv.weight).all()
