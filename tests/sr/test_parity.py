"""How exports are compared with their networks."""

from pathlib import Path

import pytest
from torch import Tensor, nn

from sr.parity import ExportError, check_parity, parity

pytestmark = pytest.mark.numeric


def test_parity_is_the_largest_difference_over_all_sizes():
    class Shifted(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return lr + (0.25 if lr.shape[2] == 9 else 0.125)

    sizes = [(8, 8), (9, 8), (10, 8)]
    assert parity(nn.Identity(), Shifted(), sizes) == pytest.approx(0.25, abs=1e-6)
    assert parity(nn.Identity(), nn.Identity(), sizes) == 0.0
    assert parity(nn.Identity(), nn.ZeroPad2d(1), sizes) == float("inf")


@pytest.mark.parametrize("difference", [1.1e-4, float("inf"), float("nan")])
def test_parity_over_the_tolerance_is_an_error(difference):
    with pytest.raises(ExportError):
        check_parity(Path("x.onnx"), difference)
    check_parity(Path("x.onnx"), 0.9e-4)


def test_every_size_is_run_with_every_batch():
    shapes = []

    class Seen(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            shapes.append(tuple(lr.shape))
            return lr

    parity(nn.Identity(), Seen(), [(8, 9), (7, 5)], (1, 3))
    assert shapes == [(1, 3, 8, 9), (3, 3, 8, 9), (1, 3, 7, 5), (3, 3, 7, 5)]
