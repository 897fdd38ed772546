"""What is shipped: the file of the engine asked for, its own quality and runtime."""

import functools
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest
import torch

from baselines import build
from prune.graph.liveness import everything
from prune.graph.tracing import Graph, trace
from prune.rewrite.execution import Measurer
from prune.scoring.schedule import Schedule
from prune.selection.costs import Costs
from prune.setup import Setup, Timing
from prune.shipping import calibration_of, quality_of, ship
from sr.data.pairs import Pairs, pack
from sr.measure.latency import Protocol
from sr.measure.target import Target

CPU = torch.device("cpu")
BRIEF = Protocol(seconds=0.0, minimum_runs=3, idle_seconds=0.0)


@functools.cache
def graph() -> Graph:
    torch.manual_seed(0)
    return trace(build("msrresnet", num_feat=8, num_block=1))


def setup(engine: str, dtype: str = "float32") -> Setup:
    random = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (*size, 3), generator=random, dtype=torch.uint8) for size in ((16, 18), (20, 16))]
    pairs = Pairs(("a", "b"), pack(lr), pack([small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]))
    target = Target(CPU, (24, 16), dtype, engine)
    return Setup(
        graph(), dict(graph().module.state_dict()), everything(graph()), Costs(graph(), (24, 16)), {}, Schedule(),
        pairs, pairs, target, Measurer(target, "contiguous"), timing=Timing(side_by_side=BRIEF),
    )  # fmt: skip


def test_the_file_of_the_engine_is_written_checked_and_measured(tmp_path: Path) -> None:
    begun = setup("onnxruntime")
    shipped = ship(begun.dense(), tmp_path / "network.pth", begun, tmp_path)
    assert (shipped.file, shipped.engine) == ("network-16x24.onnx", "onnxruntime")
    assert shipped.runtime.precision == "float32"
    assert shipped.runtime.median_ms > 0
    assert shipped.difference < 1e-4
    assert shipped.lines[0].startswith("shipped: network-16x24.onnx takes ")
    assert shipped.lines[1].startswith("The same network in every engine here: onnxruntime ")
    lr = torch.rand(1, 3, 24, 16)
    session = onnxruntime.InferenceSession(tmp_path / shipped.file, providers=["CPUExecutionProvider"])
    (sr,) = session.run(None, {session.get_inputs()[0].name: lr.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(sr), begun.dense()(lr), atol=1e-4, rtol=0)


def test_what_torch_runs_is_the_checkpoint(tmp_path: Path) -> None:
    begun = setup("torch")
    shipped = ship(begun.dense(), tmp_path / "group" / "network.pth", begun, tmp_path)
    assert (shipped.file, shipped.engine) == ("group/network.pth", "torch")
    assert {path.name for path in tmp_path.iterdir()} == {"network.onnx", "network-16x24.onnx"}


def test_the_quality_is_that_of_the_engines_own_output() -> None:
    of_torch, of_engine = (quality_of(setup("torch").dense(), setup(engine)) for engine in ("torch", "onnxruntime"))
    assert of_engine.pictures == of_torch.pictures == 2
    assert of_engine.psnr == pytest.approx(of_torch.psnr, abs=0.01)


def test_an_8_bit_network_is_calibrated_on_training_pictures() -> None:
    begun = setup("onnxruntime")
    assert calibration_of(begun) is None
    pictures = calibration_of(replace(begun, target=replace(begun.target, dtype="int8")))
    assert pictures is not None
    assert [tuple(picture.shape) for picture in pictures] == [(1, 3, 16, 18), (1, 3, 20, 16)]
    assert all(0 <= picture.min() <= picture.max() <= 1 for picture in pictures)
