"""LMSR: its published counts, and its activation against the rule it is defined by."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from baselines.networks.lmsr import MTLU
from sr.measure.complexity import count

LR_PIXELS = 256 * 256


def random_unit(num_feat, bins=6, width=0.25):
    unit = MTLU(num_feat, bins, width).double()
    nn.init.normal_(unit.slope)
    nn.init.normal_(unit.offset)
    return unit


def bins_of(x, bins, width):
    """Return each value's bin, found by comparing with the edges."""
    edges = width * torch.arange(1 - bins // 2, bins - bins // 2, dtype=x.dtype)
    return (x[..., None] >= edges).sum(-1)


def test_counts_are_those_of_table_1():
    with torch.device("meta"):
        counts = count(build("lmsr"))
    published = row("LMSR")
    assert (counts.params, counts.multi_adds, counts.activations) == (1_126_147, 75_459_723_264, 158_334_976)
    assert counts.convs == published.convs == 31
    assert counts.params / 1e6 == pytest.approx(published.params_m, abs=PRINTED_UNIT["params_m"])
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, abs=PRINTED_UNIT["activations_m"])


def test_the_teams_flops_add_biases_and_activations():
    with torch.device("meta"):
        counts = count(build("lmsr"))
    # Values that pass an activation, per LR pixel: head, 13 blocks, 32 at twice the size, twice 16 at four times.
    activated = 64 + 13 * 64 + 4 * 32 + 16 * (16 + 16)
    whole = counts.multi_adds + counts.activations + activated * LR_PIXELS
    assert whole / 1e9 == pytest.approx(row("LMSR").flops_g, abs=PRINTED_UNIT["flops_g"])


@pytest.mark.numeric
def test_the_unit_starts_as_relu():
    x = torch.cat((torch.linspace(-3, 3, 1001), torch.tensor([0.0, -0.0, 1e-30, -1e-30, 1e30, -1e30, 0.05, -0.05])))
    x = x.expand(1, 5, 1, -1)
    assert torch.equal(MTLU(5)(x), torch.relu(x))


@pytest.mark.numeric
@settings(deadline=None, max_examples=40)
@given(bins=st.integers(1, 9), width=st.floats(0.01, 2), channels=st.integers(1, 4), spread=st.floats(0.01, 9))
def test_the_unit_is_the_line_of_its_bin(bins, width, channels, spread):
    unit = random_unit(channels, bins, width)
    x = spread * torch.randn(2, channels, 3, 4, dtype=torch.float64)
    expected = torch.empty_like(x)
    chosen = bins_of(x, bins, width)
    for channel in range(channels):
        slope, offset = unit.slope[channel], unit.offset[channel]
        expected[:, channel] = slope[chosen[:, channel]] * x[:, channel] + offset[chosen[:, channel]]
    torch.testing.assert_close(unit(x), expected, rtol=0, atol=1e-12)


@pytest.mark.numeric
def test_gradients_follow_the_rule():
    unit = random_unit(3)
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn_like(x)
    unit(x).backward(upstream)
    chosen = bins_of(x.detach(), 6, 0.25)
    for channel in range(3):
        g, values = upstream[:, channel], x.detach()[:, channel]
        for index in range(6):
            inside = chosen[:, channel] == index
            assert unit.slope.grad[channel, index] == pytest.approx(float((g * values)[inside].sum()), abs=1e-12)
            assert unit.offset.grad[channel, index] == pytest.approx(float(g[inside].sum()), abs=1e-12)
        expected = g * unit.slope.detach()[channel][chosen[:, channel]]
        torch.testing.assert_close(x.grad[:, channel], expected, rtol=0, atol=1e-12)


def test_values_that_are_no_numbers_stay_so_and_infinite_ones_take_the_outer_bins():
    y = MTLU(1)(torch.tensor([float("nan"), float("inf"), 1.0]).view(1, 1, 1, 3)).flatten()
    assert y[0].isnan()
    assert y[1:].tolist() == [float("inf"), 1.0]
