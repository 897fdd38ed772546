"""How the numbers of pictures and filters lie in memory."""

import torch
from torch import nn

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def lay_out(network: nn.Module, memory_format: str) -> None:
    """Lay the weights of a network out in a memory format, in place; those that are no images of filters stay.

    nn.Module.to refuses a network that holds a tensor of five dimensions.

    Args:
        network: Whose parameters and buffers of four dimensions are laid out.
        memory_format: A key of MEMORY_FORMATS.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=MEMORY_FORMATS[memory_format])
