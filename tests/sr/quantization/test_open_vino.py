import os

import pytest
import torch
from torch import nn

from sr.onnx_graph import onnx_graph
from sr.quantization.calibration import smooth_pictures
from sr.quantization.open_vino import at_size, operations, quantized
from sr.quantization.parts import part_of

openvino = pytest.importorskip("openvino", reason="the extra openvino is not installed")
pytest.importorskip("nncf", reason="the extra openvino is not installed")


class Skipping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)
        self.skip, self.shuffle = nn.Conv2d(3, 48, 1), nn.PixelShuffle(4)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return self.shuffle(self.tail(self.head(lr).relu()) + self.skip(lr))


@pytest.fixture(scope="module")
def model() -> object:
    torch.manual_seed(0)
    return openvino.Core().read_model(onnx_graph(Skipping().eval()))


def convolutions_in_8_bits(model: object) -> int:
    """Return how many read what a FakeQuantize gives."""
    return sum(
        operation.get_type_name() == "Convolution"
        and operation.input(0).get_source_output().get_node().get_type_name() == "FakeQuantize"
        for operation in model.get_ops()
    )


def test_parts_are_found_in_its_graph(model: object) -> None:
    parts = part_of(operations(model))
    convolutions = [each.name for each in operations(model) if each.convolves]
    assert sorted(parts[name] for name in convolutions) == ["head", "skip", "tail"]


@pytest.mark.parametrize(("keep", "in_8_bits"), [("nothing", 3), ("skip", 2), ("ends", 0)])
def test_what_is_kept_stays_in_float(
    model: object, keep: str, in_8_bits: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(os.environ)
    made = quantized(model, smooth_pictures([(1, 3, 24, 32)]), keep)
    assert convolutions_in_8_bits(made) == in_8_bits
    assert convolutions_in_8_bits(model) == 0, "the model is left as it is"
    assert capsys.readouterr().out == ""
    assert dict(os.environ) == before


def test_fixed_size_is_a_copy(model: object) -> None:
    assert at_size(model, (24, 32)).input(0).partial_shape.to_string() == "[1,3,24,32]"
    assert model.input(0).partial_shape.is_dynamic
