"""The attentions against what their formulas give by other means."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.parts.attention import (
    ContrastAttention,
    MeanStdGate,
    PixelAttention,
    SpatialAttention,
    channel_gate,
    spatial_std,
)


@pytest.mark.numeric
@given(h=st.integers(2, 9), w=st.integers(1, 9), correction=st.sampled_from([0, 1]), scale=st.floats(0.01, 100))
@settings(deadline=None)
def test_spatial_std_is_the_standard_deviation(h, w, correction, scale):
    x = scale * torch.randn(2, 3, h, w, dtype=torch.float64)
    expected = x.std((2, 3), keepdim=True, correction=correction)
    # Below 1e-6 it stays there, for the sake of its gradient.
    torch.testing.assert_close(spatial_std(x, correction), expected, rtol=1e-9, atol=1e-6)


@pytest.mark.numeric
def test_spatial_std_of_a_flat_patch_has_a_finite_gradient():
    x = torch.ones(1, 2, 4, 4, requires_grad=True)
    spatial_std(x).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.numeric
@pytest.mark.parametrize(
    "attention",
    [
        SpatialAttention(8, 2, deep=True),
        SpatialAttention(8, 2, deep=False),
        ContrastAttention(8, 2),
        PixelAttention(8),
    ],
)
def test_attention_shrinks_every_value_and_keeps_its_sign(attention):
    x = torch.randn(2, 8, 17, 20)
    weighed = attention(x)
    assert weighed.shape == x.shape
    assert (weighed.abs() < x.abs()).all()
    assert (weighed.sign() == x.sign()).all()


def test_spatial_attention_needs_15_pixels_a_side():
    attention = SpatialAttention(4, 2, deep=True)
    assert attention(torch.zeros(1, 4, 15, 15)).shape == (1, 4, 15, 15)
    with pytest.raises(RuntimeError):
        attention(torch.zeros(1, 4, 14, 15))


@pytest.mark.numeric
def test_mean_std_gate_is_the_average_of_its_two_gates():
    gate = MeanStdGate(8, 2).double()
    x = torch.randn(1, 8, 5, 6, dtype=torch.float64)
    expected = (gate.mean_gate(x.mean((2, 3), keepdim=True)) + gate.std_gate(x.std((2, 3), keepdim=True))) / 2
    torch.testing.assert_close(gate(x), expected)


def test_channel_gate_gives_weights():
    weights = channel_gate(8, 2)(torch.randn(3, 8, 1, 1))
    assert weights.shape == (3, 8, 1, 1)
    assert ((weights > 0) & (weights < 1)).all()
