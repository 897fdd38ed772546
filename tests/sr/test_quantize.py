"""The command that quantises: what it says, its exit codes, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from search_spaces.architecture import Architecture, Block
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.command import BAD_INPUT, DONE, NOTHING_MEETS_BUDGET, run
from sr.data.images import Picture, write_picture
from sr.quantize import main


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """Return a command line: a small network, and a folder with one picture.

    The network is nearly bilinear interpolation.
    """
    described = Architecture(8, (Block("residual_leaky"),), image_skip="bilinear")
    torch.manual_seed(0)
    tensors = build(described).state_dict()
    scaled = {
        name: tensor * 1e-3 if name.startswith("upsampler.conv_last.") else tensor for name, tensor in tensors.items()
    }
    save(tmp_path / "small.pth", Checkpoint(Description("searched", described.to_json()), scaled))
    ramp = np.linspace(0, 255, 160, dtype=np.uint8)
    rgb = np.stack(
        [np.tile(ramp, (144, 1)), np.tile(ramp[::-1], (144, 1)), np.tile(ramp[:144, None], (1, 160))], axis=2
    )
    write_picture(tmp_path / "pictures" / "ramp.png", Picture(np.ascontiguousarray(rgb)))
    pictures = str(tmp_path / "pictures")
    return [str(tmp_path / "small.pth"), "--data", pictures, "--val", pictures, "--engine", "onnxruntime",
            "--lr-size", "24x16", "--out", str(tmp_path / "out")]  # fmt: skip


def test_command_says_what_was_lost_and_gained(given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(main, [*given, "--max-loss-db", "50", "--json", str(tmp_path / "figures.json")]) == DONE
    said = capsys.readouterr().out
    assert "float32: " in said
    assert "dB lost" in said
    assert "ms gained" in said
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert ("not faster here: " in said) == (figures["runtime_ratio"] * 1.03 >= 1)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "network-int8.onnx", "network-int8-24x16.onnx", "quantization.json",
    }  # fmt: skip


def test_a_loss_over_what_is_allowed_is_said_last(given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code = run(main, [*given, "--max-loss-db", "0"])
    figures = json.loads((tmp_path / "out" / "quantization.json").read_text(encoding="utf-8"))
    # On one picture the rounding may happen to help.
    lost = figures["lost_db"] > 0
    assert code == (NOTHING_MEETS_BUDGET if lost else DONE)
    assert ("more than --max-loss-db 0" in capsys.readouterr().out.splitlines()[-1]) == lost


def test_no_checkpoint_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(main, [str(tmp_path / "x.pth"), "--engine", "onnxruntime", "--out", str(tmp_path / "out")]) == BAD_INPUT
    assert "no checkpoint at" in capsys.readouterr().err
    assert run(main, ["x.pth", "--lr-size", "big"]) == BAD_INPUT


def test_help_loads_no_torch():
    script = (
        "import sys, sr.quantize\n"
        "try:\n    sr.quantize.main(['--help'])\n"
        "except SystemExit:\n    print('torch' in sys.modules, 'onnx' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "False False"
