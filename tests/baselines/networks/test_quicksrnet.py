"""QuickSRNet: its published sizes, what it starts as, and its weights by the authors' names."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import build
from baselines.official_weights import convert
from sr.errors import InputError
from sr.measure.complexity import count


# Small, Medium and Large.
@pytest.mark.parametrize(
    ("size", "params", "multi_adds", "activations", "convs"),
    [
        ({}, 33_264, 2.171, 9.44, 4),
        ({"num_block": 5}, 61_008, 3.982, 15.73, 7),
        ({"num_feat": 64, "num_block": 11, "image_path": True}, 435_888, 28.510, 56.62, 14),
    ],
)
def test_counts_are_the_official_ones(size, params, multi_adds, activations, convs):
    counts = count(build("quicksrnet", **size))
    assert (counts.params, counts.convs) == (params, convs)
    assert counts.multi_adds / 1e9 == pytest.approx(multi_adds, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(activations, abs=5.1e-3)


@pytest.mark.numeric
@pytest.mark.parametrize("image_path", [False, True])
def test_it_starts_as_nearest_neighbour_plus_what_is_drawn(image_path):
    network = build("quicksrnet", num_feat=4, num_block=2, image_path=image_path)
    with torch.no_grad():
        for conv in network.body:
            conv.weight.copy_(conv.weight.round())
            nn.init.zeros_(conv.bias)
        network.tail.weight.copy_(network.tail.weight.round())
        nn.init.zeros_(network.tail.bias)
    lr = torch.rand(2, 3, 5, 6)
    with torch.inference_mode():
        assert torch.equal(network(lr), F.interpolate(lr, scale_factor=4, mode="nearest"))


def test_the_picture_needs_three_channels():
    with pytest.raises(InputError, match="three channels of the picture, got 2"):
        build("quicksrnet", num_feat=2)


def test_weights_come_in_by_the_authors_names():
    official = {"cnn.0.weight": (8, 3, 3, 3), "cnn.0.bias": (8,), "conv_last.weight": (48, 8, 3, 3)}
    official |= {"conv_last.bias": (48,), "anchor.net.weight": (48, 3, 1, 1), "anchor.net.bias": (48,)}
    for index in range(1, 12):
        official |= {f"cnn.{2 * index}.weight": (8, 8, 3, 3), f"cnn.{2 * index}.bias": (8,)}
    tensors = {key: torch.randn(shape) for key, shape in official.items()}
    converted = convert("quicksrnet", tensors)
    size = {"num_feat": 8, "num_block": 11, "image_path": True}
    assert converted.description.config == {"name": "quicksrnet", **size}
    assert torch.equal(converted.tensors["body.11.bias"], tensors["cnn.22.bias"])
    assert torch.equal(converted.tensors["body.1.weight"], tensors["cnn.2.weight"])
