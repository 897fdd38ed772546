"""An export computes what the network computes, at sizes it was not traced at."""

import sys
from pathlib import Path

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.errors import InputError
from sr.exporting import export_for, export_onnx, load_onnx, write_safetensors
from sr.measure.target import Target
from sr.parity import TOLERANCE, ExportError


class Small(nn.Module):
    """A convolutional x4 network with the parts that exporters get wrong: attention, pooling, resizing."""

    def __init__(self, skip: str = "bilinear", attention: str = "none") -> None:
        super().__init__()
        self.skip, self.attention = skip, attention
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = nn.Conv2d(8, 8, 1)
        self.strided = nn.Conv2d(8, 8, 3, stride=2)
        self.tail = nn.Conv2d(8, 48, 3, padding=1)
        self.shuffle = nn.PixelShuffle(4)

    def forward(self, lr: Tensor) -> Tensor:
        features = F.relu(self.head(lr))
        if self.attention == "squeeze":
            features = features * torch.sigmoid(self.gate(features.mean((2, 3), keepdim=True)))
        if self.attention == "spatial":
            pooled = F.max_pool2d(self.strided(features), kernel_size=7, stride=3)
            mask = F.interpolate(pooled, size=features.shape[2:], mode="bilinear", align_corners=False)
            features = features * torch.sigmoid(mask)
        if self.skip == "nearest":
            return self.shuffle(self.tail(features)) + F.interpolate(lr, scale_factor=4, mode="nearest")
        return self.shuffle(self.tail(features)) + F.interpolate(
            lr, scale_factor=4, mode=self.skip, align_corners=False
        )


class OtherWhenTraced(nn.Module):
    """A network that exporters see another form of."""

    def forward(self, lr: Tensor) -> Tensor:
        up = F.interpolate(lr, scale_factor=4, mode="nearest")
        return up * (2.0 if torch.compiler.is_exporting() else 1.0)


# What is exported runs in float32, for which TOLERANCE suffices: through four layers of at most 73 terms, sums under 16
# are off by about 4 * 73**0.5 * 2**-24 * 16 = 3e-5 in both (rounding errors add up like a random walk: Higham and Mary,
# SISC 2019), and a part that is exported wrong, such as another interpolation, shows in the first decimals.
KINDS = {
    "plain": {"skip": "bilinear"},
    "squeeze-excite": {"skip": "bilinear", "attention": "squeeze"},
    "spatial attention": {"skip": "bilinear", "attention": "spatial"},
    "nearest skip": {"skip": "nearest"},
}


@pytest.mark.numeric
@pytest.mark.parametrize("kind", KINDS)
def test_onnx_is_one_file_of_free_size_that_computes_the_same(kind, tmp_path, capfd):
    network = Small(**KINDS[kind]).train()
    path = tmp_path / "out" / "small.onnx"
    assert export_onnx(network, path) <= TOLERANCE
    assert network.training, "the network given must be left as it was"
    assert [entry.name for entry in path.parent.iterdir()] == ["small.onnx"]
    graph = onnx.load(path).graph
    assert [graph.input[0].name, graph.output[0].name] == ["lr", "sr"]
    axes = graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in axes] == ["batch", 3, "height", "width"]

    exported = load_onnx(path)
    for n, height, width in [(1, 16, 16), (3, 45, 30), (2, 99, 17)]:
        lr = torch.rand(n, 3, height, width)
        output = exported(lr)
        assert output.shape == (n, 3, 4 * height, 4 * width)
        torch.testing.assert_close(output, network.eval()(lr), atol=TOLERANCE, rtol=0)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_path_may_be_text(tmp_path):
    network, path = Small().eval(), str(tmp_path / "small.onnx")
    export_onnx(network, path, sizes=[(16, 16)])
    lr = torch.rand(1, 3, 16, 20)
    torch.testing.assert_close(load_onnx(path)(lr), network(lr), atol=TOLERANCE, rtol=0)
    with pytest.raises(InputError, match=r"no ONNX network at x\.onnx"):
        load_onnx("x.onnx")


def test_safetensors_hold_the_state_dict(tmp_path):
    from safetensors.torch import load_file

    network = Small()
    network.gate.bias = network.head.bias
    path = str(tmp_path / "small.safetensors")
    assert write_safetensors(network, path) == 0
    torch.testing.assert_close(load_file(path), dict(network.state_dict()))


def test_without_safetensors_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(InputError, match=r"pip install 'paretosr\[export\]'"):
        write_safetensors(Small(), tmp_path / "small.safetensors")


def test_an_export_that_differs_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ExportError, match=r"within 0\.0001"):
        export_onnx(OtherWhenTraced(), tmp_path / "wrong.onnx")
    assert list(tmp_path.iterdir()) == []


def test_load_onnx_names_what_is_no_network(tmp_path):
    with pytest.raises(InputError, match="no ONNX network at"):
        load_onnx(tmp_path / "missing.onnx")
    for content in (b"", b"no network"):
        path = tmp_path / "broken.onnx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.onnx is no ONNX network"):
            load_onnx(path)


def test_load_onnx_refuses_a_network_of_another_task(tmp_path):
    def network_of(channels: int, kind: int) -> Path:
        value = onnx.helper.make_tensor_value_info
        shape = [1, channels, 8, 8]
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value("x", kind, shape)], [value("y", kind, shape)]
        )
        opset = [onnx.helper.make_opsetid("", 18)]
        path = tmp_path / f"{channels}-{kind}.onnx"
        onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path)
        return path

    with pytest.raises(InputError, match="takes one"):
        load_onnx(network_of(1, onnx.TensorProto.FLOAT))
    with pytest.raises(InputError, match="takes float32"):
        load_onnx(network_of(3, onnx.TensorProto.FLOAT16))
    load_onnx(network_of(3, onnx.TensorProto.FLOAT))


@pytest.mark.parametrize("free_size", [True, False])
def test_the_file_of_an_engine_is_checked_in_it(free_size, tmp_path):
    path = tmp_path / "small.onnx"
    target = Target(torch.device("cpu"), (20, 28), engine="onnxruntime")
    assert export_for(target, Small(), path, free_size=free_size) <= TOLERANCE
    assert [entry.name for entry in tmp_path.iterdir()] == ["small.onnx"]
    shape = [dimension.dim_value for dimension in onnx.load(path).graph.input[0].type.tensor_type.shape.dim]
    assert shape == ([0, 3, 0, 0] if free_size else [1, 3, 20, 28])


def test_the_file_of_an_engine_that_computes_something_else_is_not_written(tmp_path):
    with pytest.raises(ExportError, match="was not written"):
        export_for(Target(torch.device("cpu"), engine="onnxruntime"), OtherWhenTraced(), tmp_path / "other.onnx")
    assert list(tmp_path.iterdir()) == []
