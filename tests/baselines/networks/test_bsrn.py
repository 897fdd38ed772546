"""BSRN: the official counts, and its convolutions in two parts."""

import re

import pytest
import torch
import torch.nn.functional as F

from baselines import build
from baselines.networks.bsrn import BlueprintConv, BlueprintSpatialAttention
from baselines.official_weights import convert
from sr.measure.complexity import count


def test_counts_are_the_official_ones():
    counts = count(build("bsrn"))
    assert (counts.params, counts.challenge_flops, counts.activations, counts.convs) == (
        352_400,
        21_819_937_312,
        404_960_672,
        206,
    )
    assert counts.challenge_flops / 1e9 == pytest.approx(21.82, abs=5.1e-3)
    assert counts.activations / 1e6 == pytest.approx(404.96, abs=5.1e-3)


@pytest.mark.numeric
def test_a_blueprint_convolution_is_one_3x3_of_rank_one_kernels():
    conv = BlueprintConv(3, 5).double()
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    with torch.no_grad():
        kernel = conv.pw.weight * conv.dw.weight
        assert kernel.shape == (5, 3, 3, 3)
        torch.testing.assert_close(conv(x), F.conv2d(x, kernel, conv.dw.bias, padding=1), rtol=0, atol=1e-12)


@pytest.mark.numeric
def test_attention_needs_15_pixels_a_side_and_shrinks():
    attention = BlueprintSpatialAttention(8, 2)
    x = torch.randn(1, 8, 15, 17)
    with torch.no_grad():
        assert (attention(x).abs() < x.abs()).all()
    with pytest.raises(RuntimeError):
        attention(torch.zeros(1, 8, 14, 15))


@pytest.mark.numeric
def test_the_colours_come_in_four_alike_copies():
    network = build("bsrn", num_feat=8, num_block=1).double().eval()
    assert network.head.pw.in_channels == 12
    lr = torch.rand(1, 3, 15, 16, dtype=torch.float64)
    with torch.no_grad():
        before = network(lr)
        weight = network.head.pw.weight
        weight.copy_(weight.view(8, 4, 3, 1, 1).flip(1).reshape(8, 12, 1, 1))
        torch.testing.assert_close(network(lr), before, rtol=0, atol=1e-10)


def official_name(ours):
    name = ours.replace("attention.gate.", "cca.conv_du.")
    for step in range(3):
        name = name.replace(f"distil.{step}.", f"c{step + 1}_d.").replace(f"refine.{step}.", f"c{step + 1}_r.")
    for old, new in (("head.", "fea_conv."), ("fuse.", "c1."), ("trunk.", "c2.")):
        if name.startswith(old):
            name = new + name.removeprefix(old)
    match = re.fullmatch(r"blocks\.(\d+)\.(.*)", name)
    return f"B{int(match[1]) + 1}.{match[2]}" if match else name


@pytest.mark.numeric
@pytest.mark.parametrize("step", ["", "upsampleOneStep."])
def test_weights_come_in_by_the_names_of_the_authors_code(step):
    network = build("bsrn")
    tensors = {official_name(name): tensor for name, tensor in network.state_dict().items()}
    tensors = {name.replace("upsampler.", f"upsampler.{step}"): tensor for name, tensor in tensors.items()}
    assert f"upsampler.{step}0.weight" in tensors
    assert {"B8.c3_r.dw.bias", "B1.cca.conv_du.0.weight", "fea_conv.pw.weight", "c1.bias", "c2.dw.bias"} <= set(tensors)
    converted = convert("bsrn", tensors)
    assert all(torch.equal(converted.tensors[name], tensor) for name, tensor in network.state_dict().items())
