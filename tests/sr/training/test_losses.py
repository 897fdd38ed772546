"""Losses by hand."""

import math

import pytest
import torch

from sr.training.losses import GRADIENT_WEIGHT, LOSSES, charbonnier

pytestmark = pytest.mark.numeric


def test_losses_by_hand() -> None:
    sr, hr = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 0.0])
    assert LOSSES["l1"](sr, hr) == 1.5
    assert LOSSES["l2"](sr, hr) == 4.5
    assert charbonnier(sr, hr).item() == pytest.approx((1e-3 + math.sqrt(9 + 1e-6)) / 2)


def test_a_constant_difference_has_no_gradient_part() -> None:
    hr = torch.rand(2, 3, 6, 5)
    for name, expected in (("l1", 0.25), ("l1_gradient", 0.25), ("l2", 0.0625), ("charbonnier", 0.250002)):
        assert float(LOSSES[name](hr + 0.25, hr)) == pytest.approx(expected, rel=1e-4)


def test_the_gradient_part_by_hand() -> None:
    sr = torch.zeros(1, 1, 2, 2)
    sr[0, 0, 0, 0] = 1.0
    # L1 is 1/4; of the two differences down one is 1, of the two across one is 1.
    assert float(LOSSES["l1_gradient"](sr, torch.zeros_like(sr))) == pytest.approx(0.25 + GRADIENT_WEIGHT * (0.5 + 0.5))


@pytest.mark.parametrize("name", LOSSES)
def test_equal_pictures_cost_nothing_and_the_gradient_is_finite(name: str) -> None:
    sr = torch.rand(1, 3, 4, 4, requires_grad=True)
    loss = LOSSES[name](sr, sr.detach().clone())
    loss.backward()
    assert float(loss.detach()) <= 1.1e-3
    assert sr.grad is not None
    assert torch.isfinite(sr.grad).all()
