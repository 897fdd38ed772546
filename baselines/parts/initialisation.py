"""How convolutions of residual networks start."""

from torch import nn


def start_small(conv: nn.Conv2d) -> None:
    """Initialise by Kaiming's normal distribution times 0.1, bias zero, so that residual branches start near zero."""
    nn.init.kaiming_normal_(conv.weight)
    conv.weight.data.mul_(0.1)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
