from pathlib import Path

import pytest
import torch
from torch import nn

from sr.errors import InputError
from sr.measure.engines.network import as_judged, of_any_size, open_network
from sr.measure.engines.registry import FILE_ENGINES
from sr.measure.target import Target

TARGET = Target(torch.device("cpu"), (16, 24), engine="onnxruntime")


def test_a_file_runs_like_a_network_of_torch(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4)).eval()
    FILE_ENGINES["onnxruntime"].write(network, TARGET, tmp_path / "network.onnx", free_size=True)
    opened, lr = open_network(tmp_path / "network.onnx", TARGET), torch.rand(2, 3, 17, 20)
    assert opened.precision == "float32"
    assert torch.allclose(opened(lr), network(lr), atol=1e-5)


def test_a_network_for_any_size_says_its_precision_when_the_file_that_it_was_read_from_is_gone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4)).eval()
    assert of_any_size(network, TARGET).precision == "float32"


def test_a_file_of_another_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="runs checkpoints"):
        open_network(tmp_path / "network.onnx", TARGET.in_engine("torch"))


def test_short_trainings_are_judged_in_the_dtype_that_torch_runs() -> None:
    network = nn.Conv2d(3, 3, 3)
    assert as_judged(network, TARGET) is network
    judged = as_judged(network, Target(torch.device("cpu"), dtype="bfloat16"))
    assert {parameter.dtype for parameter in judged.parameters()} == {torch.bfloat16}
