import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import baselines
from sr.checkpoint import Checkpoint, Description, save
from sr.data.images import Picture, write_picture
from sr.data.sources import load_pairs
from sr.errors import InputError
from sr.measure.engines.network import open_network
from sr.measure.engines.registry import engine_of
from sr.measure.latency import Protocol, Runtime
from sr.measure.quality import evaluate
from sr.measure.target import Target
from sr.progress import Event
from sr.quantization.config import QuantizeConfig
from sr.quantization.parts import KEEPS
from sr.quantization.run import Candidate, choose, describe, quantize_file

SHORT = Protocol(seconds=0.02, minimum_runs=3, idle_seconds=0)


def candidate(psnr: float, ms: float, keep: str | None = "nothing", *, fine_tuned: bool = False) -> Candidate:
    return Candidate(keep, fine_tuned, psnr, Runtime(ms, ms, ms, 12, reliable=True, memory_format="contiguous"))


def test_fastest_of_those_good_enough_is_chosen() -> None:
    slow, fast, bad = candidate(30.0, 9.0), candidate(29.95, 5.0), candidate(29.0, 3.0)
    assert choose([slow, fast, bad], 29.9) is fast


def test_better_of_two_as_fast_is_chosen() -> None:
    worse, better = candidate(29.95, 5.0), candidate(29.99, 5.1)
    assert choose([worse, better], 29.9) is better


def test_best_is_chosen_where_none_is_good_enough() -> None:
    best, fast = candidate(29.8, 9.0), candidate(29.0, 3.0)
    assert choose([fast, best], 29.9) is best


def test_a_form_is_described_in_a_line() -> None:
    assert describe(candidate(30.0, 5.0, None)) == "float32: 30.000 dB, 5.00 ms"
    assert describe(candidate(30.0, 5.0, "skip", fine_tuned=True)).startswith("8 bits, all but its skip and sum, fine-")
    assert len({describe(candidate(30.0, 5.0, keep)) for keep in KEEPS}) == len(KEEPS)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Return a folder with two smooth pictures of 36 LR pixels a side and more."""
    generator = torch.Generator().manual_seed(0)
    for height, width in ((160, 144), (144, 192)):
        coarse = torch.rand(1, 3, height // 8, width // 8, generator=generator)
        smooth = F.interpolate(coarse, (height, width), mode="bilinear")[0].permute(1, 2, 0)
        rgb = (255 * smooth).round().numpy().astype(np.uint8)
        write_picture(tmp_path / "pictures" / f"{width}.png", Picture(rgb))
    return tmp_path / "pictures"


@pytest.mark.parametrize(
    ("engine", "steps", "scale"), [("onnxruntime", 2, 4), ("openvino", 0, 4), ("onnxruntime", 0, 2)]
)
def test_quantised_files_are_what_is_said_of_them(
    large: Path, tmp_path: Path, engine: str, steps: int, scale: int
) -> None:
    try:
        engine_of(Target(torch.device("cpu"), dtype="int8", engine=engine))
    except InputError as error:
        pytest.skip(str(error))
    # Blocks enough that most convolutions are in 8 bits in whatever form is fastest.
    config = {"name": "ecbsr", "num_feat": 8, "num_block": 5, **({} if scale == 4 else {"scale": scale})}
    torch.manual_seed(0)
    save(
        tmp_path / "small.pth", Checkpoint(Description("baseline", config), baselines.build_family(config).state_dict())
    )
    events: list[Event] = []
    config_of = QuantizeConfig(
        tmp_path / "small.pth", large, large, engine, (16, 24), fine_tune_steps=steps, out=tmp_path / "out"
    )
    quantized = quantize_file(config_of, protocol=SHORT, report=events.append)
    assert len(quantized.candidates) == (1 + (steps > 0)) * len(KEEPS)
    assert quantized.chosen in quantized.candidates
    assert quantized.float_network.runtime.precision == "float32"
    assert quantized.chosen.runtime.precision == "int8"
    opened = open_network(quantized.files.free, Target(torch.device("cpu"), (16, 24), "int8", engine))
    again = evaluate(opened, load_pairs(large, "val", minimum_lr_side=16, scale=scale), with_ssim=False)
    assert again.psnr == pytest.approx(quantized.chosen.psnr, abs=1e-6)
    assert quantized.lost_db == quantized.float_network.psnr - quantized.chosen.psnr
    written = json.loads((tmp_path / "out" / "quantization.json").read_text(encoding="utf-8"))
    assert written["lost_db"] == quantized.lost_db
    assert written["files"] == [quantized.files.free.name, quantized.files.fixed.name]
    assert {path.suffix for path in (tmp_path / "out").iterdir()} <= {".onnx", ".xml", ".bin", ".json"}
    assert quantized.files.fixed.is_file()
