"""IdleSR: its distance to the published counts, its idle channels and where its HR channels come from."""

import pytest
import torch
from torch import nn

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from sr.errors import InputError
from sr.measure.complexity import count


def silence(conv):
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)


def test_counts_and_their_distance_to_table_1():
    with torch.device("meta"):
        counts = count(build("idlesr"))
    published = row("IdleSR")
    assert (counts.params, counts.challenge_flops, counts.activations) == (525_699, 53_303_312_384, 225_443_840)
    assert counts.convs == published.convs == 42
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, abs=PRINTED_UNIT["activations_m"])
    assert counts.params / 1e6 / published.params_m - 1 == pytest.approx(0.019, abs=5e-4)
    assert counts.challenge_flops / 1e9 / published.flops_g - 1 == pytest.approx(-0.020, abs=5e-4)


@pytest.mark.numeric
def test_idle_channels_pass_the_later_stages_of_a_block_untouched():
    block = build("idlesr", num_feat=16, num_block=3).blocks[0]
    silence(block.stages[0].column)
    x = torch.randn(1, 16, 5, 6)
    with torch.no_grad():
        assert torch.equal(block(x)[:, :4], x[:, :4])
        assert not torch.equal(block(x)[:, 4:8], x[:, 4:8])
        silence(block.stages[1].column)
        assert torch.equal(block(x)[:, :8], x[:, :8])
        assert not torch.equal(block(x)[:, 8:], x[:, 8:])


@pytest.mark.numeric
def test_the_doubled_feature_is_made_of_the_fusion_and_three_levels():
    network = build("idlesr", num_feat=8).double().eval()
    silence(network.fuse)
    lr = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    seen = []
    network.refine.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network(lr)
        outputs = [network.head(lr)]
        for block in network.blocks:
            outputs.append(block(outputs[-1]))
        levels = torch.cat([outputs[depth] for depth in (0, 2, 4, 6)], dim=1)
    expected = nn.functional.leaky_relu(nn.functional.pixel_shuffle(levels, 2), 0.1)
    assert seen[0].shape == (1, 8, 8, 10)
    torch.testing.assert_close(seen[0], expected)


def test_the_depth_is_three_levels_alike():
    with pytest.raises(InputError, match="multiple of 3, got 4"):
        build("idlesr", num_block=4)


def gradients(network, lr):
    network.zero_grad()
    network(lr).square().mean().backward()
    return [parameter.grad for parameter in network.parameters()]


@pytest.mark.numeric
def test_grad_scale_multiplies_every_gradient_of_training_and_nothing_else():
    plain = build("idlesr", num_feat=8, num_block=3).double().train()
    scaled = build("idlesr", num_feat=8, num_block=3, grad_scale=16.0).double().train()
    scaled.load_state_dict(plain.state_dict())
    lr = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(scaled(lr), plain(lr))
    for ours, theirs in zip(gradients(scaled, lr), gradients(plain, lr), strict=True):
        torch.testing.assert_close(ours, 16 * theirs)
    for ours, theirs in zip(gradients(scaled.eval(), lr), gradients(plain.eval(), lr), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_grad_scale_is_a_factor(value):
    with pytest.raises(InputError, match="grad_scale must be over 0 and finite"):
        build("idlesr", grad_scale=value)
