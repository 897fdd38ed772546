"""Whether a network is exported for pictures of any size, for those tests that ask it of many."""

import torch
from torch import nn


def assert_exports_at_free_size(network: nn.Module) -> None:
    """Export a network in float64 with free height and width, and compare it at another size."""
    # From 21 on: below, pools leave one pixel, which the exporter takes for a case of its own.
    free = {2: torch.export.Dim("h", min=21, max=2048), 3: torch.export.Dim("w", min=21, max=2048)}
    program = torch.export.export(
        network, (torch.rand(1, 3, 32, 40, dtype=torch.float64),), dynamic_shapes=(free,), strict=False
    )
    lr = torch.rand(1, 3, 23, 37, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(program.module()(lr), network(lr), rtol=1e-9, atol=1e-9)
