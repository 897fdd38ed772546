"""The exported ONNX in programs that nothing of ours imports: OpenCV, and ncnn by way of pnnx."""

import subprocess
from pathlib import Path

import cv2
import ncnn
import numpy as np
import pnnx
import pytest
import torch
from numpy.typing import NDArray

from search_spaces.architecture import Architecture, Block
from search_spaces.kinds import BLOCKS
from search_spaces.network import build
from sr.deployment import deploy
from sr.exporting import export_onnx

SIZES = ((40, 32), (24, 48))
# OpenCV 5.0 fuses a sum into the convolution before it, where it is none.
NOT_IN_OPENCV = "mobilenetv3"
# pnnx has no layer of ncnn for an interpolation to a size that is not known.
OF_ONE_SIZE = "coarse_attention"
KINDS = [kind for kind in BLOCKS if kind != "identity"]
FRAMES = [
    Architecture(8, (Block("residual_leaky"),), "one_step", "learned"),
    Architecture(8, (Block("residual_relu"),) * 2, "two_step", "bilinear", "concat"),
    Architecture(8, (Block("residual_leaky"),), "nearest_conv", "nearest"),
]
OF_KINDS = {kind: Architecture(8, (Block(kind),) * 2, image_skip="bicubic", aggregation="long_skip") for kind in KINDS}
CASES = [
    *(pytest.param(architecture, id=kind) for kind, architecture in OF_KINDS.items()),
    *(pytest.param(architecture, id=architecture.upsampler) for architecture in FRAMES),
]


def exported(architecture: Architecture, path: Path) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Export a network for any size; return pictures of several sizes and what it makes of each."""
    torch.manual_seed(0)
    network = deploy(build(architecture))
    export_onnx(network, path)
    lr = [np.random.default_rng(0).random((1, 3, *size), dtype=np.float32) for size in SIZES]
    with torch.inference_mode():
        return lr, [network(torch.from_numpy(each)).numpy() for each in lr]


@pytest.mark.parametrize("architecture", [case for case in CASES if case.id != NOT_IN_OPENCV])
def test_opencv_computes_the_same_at_any_size(architecture: Architecture, tmp_path: Path) -> None:
    pictures, expected = exported(architecture, tmp_path / "network.onnx")
    network = cv2.dnn.readNetFromONNX(str(tmp_path / "network.onnx"))
    for lr, sr in zip(pictures, expected, strict=True):
        network.setInput(lr)
        np.testing.assert_allclose(network.forward(), sr, rtol=0, atol=1e-4)


@pytest.mark.parametrize("architecture", CASES)
def test_ncnn_computes_the_same(architecture: Architecture, tmp_path: Path) -> None:
    pictures, expected = exported(architecture, tmp_path / "network.onnx")
    sizes = SIZES[:1] if Block(OF_ONE_SIZE) in architecture.blocks else SIZES
    shapes = [f"inputshape{number}=[1,3,{h},{w}]" for number, (h, w) in zip(("", "2"), sizes, strict=False)]
    command = [pnnx.EXEC_PATH, "network.onnx", *shapes, "fp16=0"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    network = ncnn.Net()
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = False
    assert network.load_param(str(tmp_path / "network.ncnn.param")) == 0
    assert network.load_model(str(tmp_path / "network.ncnn.bin")) == 0
    for lr, sr, _ in zip(pictures, expected, sizes, strict=False):
        extractor = network.create_extractor()
        extractor.input("in0", ncnn.Mat(lr[0]).clone())
        code, found = extractor.extract("out0")
        assert code == 0
        np.testing.assert_allclose(np.array(found)[None], sr, rtol=0, atol=1e-4)
