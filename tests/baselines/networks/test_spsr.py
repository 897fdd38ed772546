"""SPSR: its distance to the published counts, and the steps of its sparse coding."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from baselines.networks.spsr import soft_threshold
from sr.errors import InputError
from sr.measure.complexity import count


def test_counts_and_their_distance_to_table_1():
    counts, published = count(build("spsr")), row("SPSR")
    assert (counts.params, counts.challenge_flops, counts.activations) == (357_747, 31_658_606_592, 170_459_136)
    assert counts.convs == published.convs == 67
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, abs=PRINTED_UNIT["activations_m"])
    assert counts.params / 1e6 / published.params_m - 1 == pytest.approx(-0.017, abs=5e-4)
    assert counts.challenge_flops / 1e9 / published.flops_g - 1 == pytest.approx(-0.011, abs=5e-4)


@given(x=st.floats(-9, 9, width=32), threshold=st.floats(0, 3, width=32))
def test_soft_threshold_moves_towards_zero_and_stops_there(x, threshold):
    value = float(soft_threshold(torch.tensor(x, dtype=torch.float64), torch.tensor(threshold, dtype=torch.float64)))
    expected = max(abs(x) - threshold, 0) * (1 if x > 0 else -1)
    assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.numeric
def test_the_code_is_unrolled_shrinkage():
    prior = build("spsr", num_feat=6, num_step=4, num_block=1).double().prior
    x = torch.randn(1, 6, 5, 7, dtype=torch.float64)
    with torch.no_grad():
        code, codes = torch.zeros_like(x), []
        for threshold in prior.thresholds:
            moved = x + prior.mix(code)
            code = moved.sign() * (moved.abs() - threshold).clamp_min(0)
            codes.append(code)
        found, colours = prior(x)
        torch.testing.assert_close(found, code)
        torch.testing.assert_close(colours, sum(prior.decode(each) for each in codes[1:]) / 3)


def test_high_thresholds_leave_an_empty_code():
    prior = build("spsr", num_feat=3, num_block=1).prior
    torch.nn.init.constant_(prior.thresholds, 100.0)
    with torch.no_grad():
        assert not prior(torch.rand(1, 3, 4, 4))[0].any()


def test_thirds_have_their_own_dilation():
    convs = build("spsr").extractions[0].convs
    assert [conv.dilation for conv in convs] == [(1, 1), (2, 2), (3, 3)]
    with pytest.raises(InputError, match="multiple of 3, got 32"):
        build("spsr", num_feat=32)
