"""The quick commands and examples of README and docs/ do what they say, word for word, where a reader would type them.

Those that take minutes are typed by `.ci/tutorial.py`, others run small in the tests of their own modules.
"""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import baselines
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.command import DONE, run
from sr.deployment import deploy
from sr.exporting import export_onnx
from tests.docs.conftest import ROOT, blocks
from tests.docs.test_commands import TYPED, arguments

QUICK = ("nas.export", "sr.evaluate", "sr.export", "sr.upscale")
# What runs the other commands: a page that the script follows, or tests of the module.
ELSEWHERE = {
    "nas.search": "docs/tutorial.md",
    "nas.report": "docs/tutorial.md",
    "sr.quantize": "docs/tutorial.md",
    "prune.run": "docs/tutorial-pruning.md",
    "baselines.train": "docs/tutorial-pruning.md",
    "baselines.convert": "tests/baselines/test_convert.py",
    "baselines.table": "tests/baselines/test_table.py",
    "nas.calibrate": "tests/nas/test_calibrate.py",
    "sr.data": "tests/sr/data",
}
SMALL = {"name": "ecbsr", "num_feat": 4, "num_block": 1}
CANDIDATE = repeated(8, "residual_leaky", 1)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what pages mean: networks, all of them small, runs that made them, and pictures."""
    folder = tmp_path_factory.mktemp("reader")
    torch.manual_seed(0)
    network = baselines.build_family(SMALL)
    checkpoint = Checkpoint(Description("baseline", SMALL), network.state_dict())
    runs = [folder / "runs" / name / "chosen" for name in ("first", "forty")]
    for path in (folder / "best", folder / "hcsrn", *(each / "network" for each in runs),
                 folder / "runs" / "pruned" / "per-layer-shared" / "network"):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path.with_suffix(".pth"), checkpoint)
    export_onnx(deploy(network).eval(), folder / "network.onnx")
    for path in (folder / "best.onnx", *(each / "network.onnx" for each in runs), folder / "runs/pruned/network.onnx"):
        path.hardlink_to(folder / "network.onnx")
    for chosen in runs:
        candidates = chosen.parent / "candidates"
        candidates.mkdir()
        described = Description("searched", CANDIDATE.to_json())
        save(candidates / f"{CANDIDATE.key}.pth", Checkpoint(described, build(CANDIDATE).state_dict()))
        (chosen.parent / "trials.csv").write_text(f"number,key\n0,{CANDIDATE.key}\n", encoding="utf-8")
    pictures = {"astronaut": data.astronaut(), "coffee": data.coffee()}
    for name in ("Set5", "DIV2K"):
        (folder / name).mkdir()
        for picture, pixels in pictures.items():
            Image.fromarray(np.ascontiguousarray(pixels[100:196, 100:228])).save(folder / name / f"{picture}.png")
    Image.fromarray(np.ascontiguousarray(data.rocket()[:48, :64])).save(folder / "photo.jpg")
    return folder


@pytest.mark.parametrize(("page", "module", "text"), [each for each in TYPED if each[1] in QUICK])
def test_quick_command_runs_as_it_is_typed(
    reader: Path, page: str, module: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reader)
    assert run(importlib.import_module(module).main, arguments(text)) == DONE, page


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_ten_lines_time_the_file_in_its_engine(
    reader: Path, engine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(reader)
    (code,) = (each for each in blocks(ROOT / "docs" / "engines.md", "python") if f"import numpy, {engine}" in each)
    names: dict[str, object] = {}
    exec(compile(code, "engines.md", "exec"), names)  # our own page
    assert np.shape(names["sr"]) == (1, 3, 1024, 1024)
    assert capsys.readouterr().out.endswith(" ms\n")


@pytest.mark.skipif(sys.platform != "linux", reason="it is of glibc")
def test_lines_that_keep_memory_run() -> None:
    (code,) = (each for each in blocks(ROOT / "docs" / "engines.md", "python") if "mallopt" in each)
    subprocess.run([sys.executable, "-c", code], check=True)


def test_example_of_the_api_builds_and_measures(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(ROOT / "docs" / "api.md", "python")
    exec(compile(code, "api.md", "exec"), {})  # our own page
    multi_adds, milliseconds = capsys.readouterr().out.split()
    assert int(multi_adds) > 0
    assert float(milliseconds) > 0


def test_command_that_is_not_quick_is_run_elsewhere() -> None:
    assert {module for _, module, _ in TYPED} == {*QUICK, *ELSEWHERE}
    for module, place in ELSEWHERE.items():
        path = ROOT / place
        assert path.exists()
        if path.suffix == ".md":
            assert (path.name, module) in {(page, each) for page, each, _ in TYPED}
