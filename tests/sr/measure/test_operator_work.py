"""What operators have to do, seen in a forward that computes nothing."""

from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sr.deployment import deploy
from sr.measure.complexity import count
from sr.measure.operator_work import Operator, operators_of

SIZE = (4, 6)
PIXELS = 24


def seen(network: nn.Module, channels: int = 8, batch: int = 1) -> Counter[Operator]:
    return operators_of(network, torch.empty(batch, channels, *SIZE, device="meta"))


class Views(nn.Module):
    """Moves nothing and computes nothing."""

    def forward(self, picture: Tensor) -> Tensor:
        return picture.flatten(2).transpose(1, 2).unsqueeze(0)[..., :2]


class Added(nn.Module):
    """Writes into what it reads."""

    def forward(self, picture: Tensor) -> Tensor:
        return picture.add_(picture)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (nn.Conv2d(8, 12, 3, padding=1), Operator("spatial", PIXELS, 12, 8, 9, 8 * PIXELS)),
        (nn.Conv2d(8, 12, 1, bias=False), Operator("pointwise", PIXELS, 12, 8, 1, 8 * PIXELS)),
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), Operator("grouped", PIXELS, 8, 1, 9, 8 * PIXELS)),
        (nn.Conv2d(8, 16, 3, padding=1, groups=2), Operator("grouped", PIXELS, 16, 4, 9, 8 * PIXELS)),
        (nn.Conv2d(8, 12, 3, padding=1, stride=2), Operator("spatial", 6, 12, 8, 9, 8 * PIXELS)),
        (nn.ConvTranspose2d(8, 3, 4, stride=4), Operator("spatial", 16 * PIXELS, 3, 8, 16, 8 * PIXELS)),
        (nn.ReLU(), Operator("elementwise", PIXELS, 8, read=8 * PIXELS)),
        (nn.LeakyReLU(inplace=True), Operator("elementwise", PIXELS, 8, read=8 * PIXELS)),
        (Added(), Operator("elementwise", PIXELS, 8, read=2 * 8 * PIXELS)),
    ],
)
def test_operator_is_what_it_reads_computes_and_writes(network: nn.Module, expected: Operator) -> None:
    assert seen(network) == {expected: 1}
    assert expected.written == expected.pixels * expected.out_channels


def test_views_are_free() -> None:
    assert not seen(Views())


def test_equal_calls_are_counted_and_a_batch_is_more_positions() -> None:
    convolutions = nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3)))
    assert seen(convolutions, batch=2) == {Operator("spatial", 2 * PIXELS, 8, 8, 9, 2 * 8 * PIXELS): 3}


def test_nothing_is_computed_however_large_the_picture() -> None:
    (operator,) = operators_of(nn.Conv2d(3, 64, 3), torch.empty(1, 3, 100_000, 100_000, device="meta"))
    assert operator.pixels == 99_998**2


def test_multi_adds_are_those_that_a_network_is_counted_at() -> None:
    class Network(nn.Module):
        """A little of everything, to four times the size."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.narrow = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 20, 1)
            self.depthwise, self.last = nn.Conv2d(20, 20, 3, padding=1, groups=20), nn.Conv2d(20, 48, 3, padding=1)

        def forward(self, lr: Tensor) -> Tensor:
            return F.pixel_shuffle(self.last(F.relu(self.depthwise(self.narrow(self.first(lr))))), 4)

    operators = operators_of(deploy(Network()), torch.empty(1, 3, *SIZE, device="meta"))
    assert sum(calls * each.multi_adds() for each, calls in operators.items()) == count(Network(), SIZE).multi_adds
    assert sum(calls for each, calls in operators.items() if each.kind == "elementwise") >= 2


@pytest.mark.parametrize(
    ("operator", "step", "multi_adds", "between"),
    [
        # 12 channels become 16 on either side.
        (Operator("spatial", 10, 12, 12, 9), 8, 10 * 16 * 16 * 9, True),
        (Operator("spatial", 10, 12, 12, 9), 4, 10 * 12 * 12 * 9, False),
        (Operator("pointwise", 10, 16, 8), 8, 0, False),
        # A first convolution's colours are not filled up.
        (Operator("spatial", 10, 16, 3, 9), 8, 10 * 16 * 3 * 9, False),
        # It is the channels of all groups that stand side by side.
        (Operator("grouped", 10, 12, 1, 9), 8, 10 * 16 * 9, True),
        (Operator("grouped", 10, 24, 1, 9), 8, 10 * 24 * 9, False),
        # One position has no layout.
        (Operator("spatial", 1, 12, 12, 9), 8, 16 * 16 * 9, False),
        (Operator("elementwise", 10, 12), 8, 0, False),
    ],
)
def test_channels_are_filled_up_to_the_steps_of_an_engine(
    operator: Operator, step: int, multi_adds: int, between: bool
) -> None:
    assert operator.multi_adds(step) == multi_adds
    assert operator.is_between(step) is between
    assert not operator.is_between(1)
