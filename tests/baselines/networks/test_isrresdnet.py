"""ISRResDNet: Table 1's counts, and the parts of a stage against what they stand for."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from baselines.networks.isrresdnet import ResDNet, ZeroMeanConv, ZeroMeanDeconv, lower_median
from sr.data.degradation import degrade
from sr.deployment import deploy
from sr.measure.complexity import count


@pytest.fixture(scope="module")
def network():
    return build("isrresdnet", num_feat=4).double().eval()


def test_counts_are_those_of_table_1_but_for_the_parameters():
    counts, published = count(build("isrresdnet"), fold=False), row("ISRResDNet")
    assert (counts.params, counts.challenge_flops, counts.activations) == (49_304, 50_667_192_320, 351_272_960)
    assert counts.convs == published.convs == 10
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, abs=PRINTED_UNIT["flops_g"])
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, abs=PRINTED_UNIT["activations_m"])
    assert counts.params / 1e6 / published.params_m - 1 == pytest.approx(0.049, abs=5e-4)
    assert counts.params / 2**20 == pytest.approx(published.params_m, abs=PRINTED_UNIT["params_m"])


@pytest.mark.numeric
@settings(deadline=None, max_examples=30)
@given(
    in_channels=st.integers(1, 6),
    out_channels=st.integers(1, 6),
    kernel_size=st.sampled_from([3, 5]),
    size=st.tuples(st.integers(3, 8), st.integers(3, 8)),
    kind=st.sampled_from([ZeroMeanConv, ZeroMeanDeconv]),
)
def test_normed_kernels_have_no_mean_and_fold(in_channels, out_channels, kernel_size, size, kind):
    conv = kind(in_channels, out_channels, kernel_size).double()
    with torch.no_grad():
        conv.weight_g.uniform_(0.5, 2)
        conv.weight_v.add_(torch.rand(()))
        kernel = conv.kernel()
        torch.testing.assert_close(kernel.mean((1, 2, 3)), torch.zeros(len(kernel), dtype=torch.float64))
        torch.testing.assert_close(kernel.flatten(1).norm(dim=1), conv.weight_g.flatten())
        x = torch.randn(2, in_channels, *size, dtype=torch.float64)
        assert conv(x).shape == (2, out_channels, *size)
        torch.testing.assert_close(deploy(conv)(x), conv(x), rtol=0, atol=1e-10)


@pytest.mark.numeric
def test_the_network_folds(network):
    lr = torch.rand(1, 3, 5, 6, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(deploy(network)(lr), network(lr), rtol=0, atol=1e-10)


@pytest.mark.numeric
def test_the_gradient_shrinks_as_the_challenge_did(network):
    hr = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    picture = torch.from_numpy(hr).permute(2, 0, 1)[None].double()
    lr = torch.from_numpy(degrade(hr, 4)).permute(2, 0, 1)[None].double()
    padded = F.pad(picture, (6, 6, 6, 6), mode="replicate")
    shrunken = F.conv2d(padded, network.shrinking, stride=4, groups=3)
    # The challenge rounded twice, behind the rows and behind the columns.
    assert float((shrunken.clamp(0, 255) - lr).abs().max()) < 1.2


@pytest.mark.numeric
def test_the_gradient_is_that_of_the_squared_distance(network):
    picture = torch.rand(1, 3, 48, 56, dtype=torch.float64, requires_grad=True)
    lr = torch.rand(1, 3, 12, 14, dtype=torch.float64)
    padded = F.pad(picture, (6, 6, 6, 6), mode="replicate")
    (F.conv2d(padded, network.shrinking, stride=4, groups=3) - lr).square().sum().div(2).backward()
    with torch.no_grad():
        gradient = network.data_gradient(picture, lr)
    # The outermost pixel alone stands for those beyond the border.
    torch.testing.assert_close(gradient[..., 1:-1, 1:-1], picture.grad[..., 1:-1, 1:-1])


@pytest.mark.numeric
@pytest.mark.parametrize("level", [2.0, 10.0])
def test_the_noise_level_is_estimated(network, level):
    lr = 100 + level * torch.randn(2, 3, 96, 97, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    estimate = network.noise_level(lr)
    assert estimate.shape == (2, 1, 1, 1)
    torch.testing.assert_close(estimate, torch.full_like(estimate, level), rtol=0.05, atol=0)


@pytest.mark.numeric
@given(st.integers(1, 4), st.integers(1, 30))
def test_lower_median_is_torchs(rows, columns):
    values = torch.randn(rows, columns)
    assert torch.equal(lower_median(values), values.median(dim=1).values)


@given(st.floats(1e-3, 3))
@settings(deadline=None, max_examples=20)
def test_no_more_noise_is_taken_than_allowed(level):
    with torch.no_grad():
        levels = torch.tensor([level, 1e9], dtype=torch.float64).view(2, 1, 1, 1)
        noise = ResDNet(4, 1).double()(255 * torch.rand(2, 3, 8, 9, dtype=torch.float64), levels)
        deviations = noise.flatten(1).square().sum(1).div(noise[0].numel() - 1).sqrt()
        assert float(deviations[0]) <= level * (1 + 1e-9)
        assert float(deviations[1]) > 0


@pytest.mark.numeric
def test_the_result_is_a_picture(network):
    with torch.inference_mode():
        sr = network(torch.rand(1, 3, 4, 5, dtype=torch.float64))
    assert 0 <= float(sr.min()) <= float(sr.max()) <= 1
