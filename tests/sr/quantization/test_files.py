from pathlib import Path

import pytest
import torch
from torch import nn

from sr.constraints import ENGINE_NAMES
from sr.measure.engines.network import open_network
from sr.measure.target import Target
from sr.onnx_graph import onnx_graph
from sr.quantization.calibration import smooth_pictures
from sr.quantization.config import QUANTIZED_ENGINES
from sr.quantization.files import WRITERS, files_of, write_files

SIZE = (16, 24)


def test_every_engine_that_is_offered_has_a_writer() -> None:
    assert tuple(WRITERS) == QUANTIZED_ENGINES
    assert set(WRITERS) <= set(ENGINE_NAMES)


def test_files_tell_their_size(tmp_path: Path) -> None:
    files = files_of("onnxruntime", tmp_path / "network-int8", (180, 320))
    assert (files.free.name, files.fixed.name) == ("network-int8.onnx", "network-int8-320x180.onnx")


@pytest.mark.parametrize(("keep", "scale"), [(None, 4), ("skip", 4), ("skip", 2), (None, 3)])
@pytest.mark.parametrize("engine", QUANTIZED_ENGINES)
def test_both_files_compute_the_same(engine: str, keep: str | None, scale: int, tmp_path: Path) -> None:
    if engine == "openvino":
        pytest.importorskip("nncf", reason="the extra openvino is not installed")
    tail = nn.Conv2d(8, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *tail).eval()
    pictures = smooth_pictures([(1, 3, *SIZE)])
    files = write_files(onnx_graph(network), engine, tmp_path / "made", SIZE, pictures=pictures, keep=keep, scale=scale)
    target = Target(torch.device("cpu"), SIZE, "float32" if keep is None else "int8", engine)
    free, fixed = (open_network(path, target) for path in (files.free, files.fixed))
    assert free.precision == fixed.precision == target.dtype
    assert fixed(pictures[0]).shape == (1, 3, scale * SIZE[0], scale * SIZE[1])
    assert torch.allclose(free(pictures[0]), fixed(pictures[0]), atol=1e-6)
