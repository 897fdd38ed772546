"""What the tests of training train: tiny networks, on pictures that a network can get right."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sr.data.pairs import Pairs, pack
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer

CPU = torch.device("cpu")
AUTOTUNED = Recipe(steps=12, batch=2, patch=6, warmup_steps=2, precision="float32", memory_format="contiguous")


def make_tiny(seed: int = 0) -> nn.Module:
    """Two convolutions with a batch norm between them, whose buffers are a state too."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4)
    )


class Gated(nn.Module):
    """Frozen weights under gates that train, are drawn to 0, and note in a buffer what their gradients were."""

    def __init__(self, strength: float = 0.0) -> None:
        super().__init__()
        self.body = make_tiny().requires_grad_(False)
        self.gates = nn.Parameter(torch.ones(1, 3, 1, 1))
        self.register_buffer("scores", torch.zeros(3))
        self.gates.register_post_accumulate_grad_hook(self.collect)
        self.strength = strength

    def collect(self, gates: Tensor) -> None:
        assert gates.grad is not None
        self.scores += (gates * gates.grad).detach().abs().flatten()

    def penalty(self) -> Tensor:
        return self.strength * self.gates.abs().sum()

    def forward(self, lr: Tensor) -> Tensor:
        return self.body(lr) * self.gates


def are_equal(left: Any, right: Any) -> bool:
    """Return whether two states are the same, tensors bit for bit."""
    if isinstance(left, Tensor):
        return isinstance(right, Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(are_equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(are_equal(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


@pytest.fixture(scope="session")
def tiny() -> Callable[..., nn.Module]:
    """Return what makes a tiny network from a seed."""
    return make_tiny


@pytest.fixture(scope="session")
def gated() -> Callable[..., nn.Module]:
    """Return what makes a tiny network with gates, drawn to 0 as strongly as given."""
    return Gated


@pytest.fixture(scope="session")
def equal() -> Callable[[Any, Any], bool]:
    """Return what compares states."""
    return are_equal


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    """Return HR of 4x4 blocks of one colour each and LR that colour: repeating pixels is the perfect network."""
    random = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (*size, 3), generator=random, dtype=torch.uint8) for size in ((9, 12), (10, 7))]
    hr = [small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]
    return Pairs(("first", "second"), pack(lr), pack(hr))


@pytest.fixture(scope="session")
def trainer(pairs: Pairs) -> Callable[..., Trainer]:
    """Return what makes a trainer of a tiny network, with another for its teacher where the recipe distils."""

    def make(recipe: Recipe = AUTOTUNED, seed: int = 0) -> Trainer:
        return Trainer(make_tiny(seed), recipe, pairs, CPU, teacher=make_tiny(7) if recipe.distillation else None)

    return make
