"""What is added to first weights to carry a picture."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.parts.carried_image import add_copies, add_nearest
from sr.scale import SCALES


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_copies_are_added_to_what_is_there(kernel_size):
    conv = nn.Conv2d(4, 5, kernel_size, padding=kernel_size // 2, bias=False)
    x = torch.rand(1, 4, 6, 7)
    with torch.no_grad():
        before = conv(x)
        add_copies(conv, source=1, target=2, count=3)
        added = conv(x) - before
    torch.testing.assert_close(added[:, 2:], x[:, 1:], rtol=0, atol=1e-5)
    torch.testing.assert_close(added[:, :2], torch.zeros(1, 2, 6, 7), rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_nearest_is_the_enlargement(kernel_size, scale):
    conv = nn.Conv2d(5, 3 * scale**2, kernel_size, padding=kernel_size // 2, bias=False)
    nn.init.zeros_(conv.weight)
    add_nearest(conv, source=2)
    x = torch.rand(1, 5, 6, 7)
    with torch.no_grad():
        expected = F.interpolate(x[:, 2:], scale_factor=scale, mode="nearest")
        assert torch.equal(F.pixel_shuffle(conv(x), scale), expected)
