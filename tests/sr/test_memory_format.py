import pytest
import torch
from torch import nn

from sr.memory_format import MEMORY_FORMATS, lay_out


@pytest.mark.parametrize("memory_format", MEMORY_FORMATS)
def test_images_of_filters_are_laid_out_and_other_tensors_stay(memory_format: str) -> None:
    network = nn.Conv2d(3, 48, 3)
    network.register_buffer("volume", torch.rand(2, 3, 4, 5, 6))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    lay_out(network, memory_format)
    assert network.weight.is_contiguous(memory_format=MEMORY_FORMATS[memory_format])
    assert network.get_buffer("volume").is_contiguous()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
