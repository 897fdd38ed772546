import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.data.sources import load_pairs
from sr.quantization.aware import (
    QuantizationAware,
    fine_tuned,
    recipe_of,
    recorded,
    rounded_activation,
    rounded_weight,
)
from sr.quantization.calibration import calibration_pictures, smooth_pictures
from sr.quantization.parts import part_of

CPU = torch.device("cpu")


class Skipping(nn.Module):
    """A head, a residual block, a tail and a skip by a function, not a module."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.conv = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.tail, self.act = nn.Conv2d(8, 48, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)
        self.skip = nn.Parameter(torch.ones(48, 3, 1, 1) / 3)

    def forward(self, lr: Tensor) -> Tensor:
        features = self.act(self.head(lr))
        features = features + self.conv(features)
        return F.pixel_shuffle(self.tail(features) + F.conv2d(lr, self.skip), 4)


def test_activation_takes_256_levels_with_zero_among_them() -> None:
    values = torch.linspace(-1, 2, 10_001)
    rounded = rounded_activation(values, torch.tensor([-1.0, 2.0]))
    assert len(rounded.unique()) == 256
    assert 0.0 in rounded
    assert float((rounded - values).abs().max()) <= 3 / 255 / 2 + 1e-6 + 3 / 255 / 2
    # A range above zero is widened to it.
    assert float(rounded_activation(torch.zeros(1), torch.tensor([0.5, 1.0]))) == 0.0


def test_weight_takes_whole_multiples_of_a_scale_per_filter() -> None:
    weight = torch.randn(4, 3, 3, 3) * torch.tensor([1e-3, 1.0, 5.0, 100.0])[:, None, None, None]
    for limit in (127, 63):
        rounded = rounded_weight(weight, limit)
        scale = weight.abs().amax((1, 2, 3), keepdim=True) / limit
        assert torch.allclose(rounded / scale, (rounded / scale).round(), atol=1e-3)
        assert bool(((rounded - weight).abs() <= 0.5001 * scale).all())


def test_gradients_pass_the_rounding() -> None:
    values = torch.tensor([-5.0, 0.3, 1.0], requires_grad=True)
    rounded_activation(values, torch.tensor([0.0, 2.0])).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0.0, 1.0, 1.0]


def test_recorded_calls_have_the_parts_of_the_graph() -> None:
    operations = recorded(Skipping(), torch.rand(1, 3, 16, 16))
    parts = part_of(operations)
    assert [parts[each.name] for each in operations if each.convolves] == ["head", "body", "tail", "skip"]
    # Three convolutions, the skip's, an activation, two sums.
    assert sum(each.name.isdecimal() for each in operations) == 7


@pytest.mark.parametrize("keep", ["nothing", "skip", "ends"])
def test_quantised_forward_is_near_the_network_s(keep: str) -> None:
    network, (picture,) = Skipping().eval(), smooth_pictures([(1, 3, 24, 24)])
    aware = QuantizationAware(network, [picture], keep).eval()
    with torch.no_grad():
        expected, got = network(picture), aware(picture)
    span = float(expected.max() - expected.min())
    assert not torch.equal(got, expected)
    # Seven roundings, each of at most half a level of what is no wider than a few times the output.
    assert float((got - expected).abs().max()) <= 0.05 * span


def test_ranges_follow_in_training_alone() -> None:
    aware = QuantizationAware(Skipping(), [torch.rand(1, 3, 16, 16)])
    before = aware.ranges.clone()
    aware.eval()(3 * torch.rand(1, 3, 16, 16))
    assert torch.equal(aware.ranges, before)
    aware.train()(3 * torch.rand(1, 3, 16, 16))
    assert float(aware.ranges.max()) > float(before.max())


def test_fine_tuning_gives_the_plain_network_back_with_other_weights(folder: Path) -> None:
    pairs = load_pairs(folder, "train", minimum_lr_side=16)
    network = Skipping().eval()
    before = copy.deepcopy(network.state_dict())
    recipe = recipe_of(3, learning_rate=1e-3, distillation=0.5, seed=0, patch=16)
    fitted = fine_tuned(network, recipe, pairs, calibration_pictures(pairs, 1), CPU)
    assert isinstance(fitted.network, Skipping)
    assert fitted.recipe.precision == "float32"
    after = fitted.network.state_dict()
    assert after.keys() == before.keys()
    assert all(not torch.equal(after[name], before[name]) for name in ("head.weight", "tail.weight"))
