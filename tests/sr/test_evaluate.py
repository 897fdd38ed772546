"""The command: a table, JSON, and one line where something is missing."""

import json
import math

import pytest
from torch import nn

from sr.command import BAD_INPUT, DONE, run
from sr.data.sources import load_pairs
from sr.evaluate import as_json, main
from sr.exporting import export_onnx
from sr.measure.quality import Quality, evaluate

pytestmark = pytest.mark.numeric


# Repeats every pixel 4 x 4 times.
ENLARGE = nn.Upsample(scale_factor=4)


def test_equal_pictures_are_null_in_json():
    assert as_json(Quality(math.inf, 30.0, None, 1)) == {"psnr": None, "psnr_y": 30.0, "ssim": None, "pictures": 1}


@pytest.fixture(scope="module")
def enlarge(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "enlarge.onnx"
    export_onnx(ENLARGE, path)
    return path


def test_command_prints_a_table_and_writes_json(enlarge, folder, tmp_path, capsys):
    report = tmp_path / "quality.json"
    argv = [str(enlarge), "--val", str(folder), "--device", "cpu", "--per-picture", "--json", str(report)]
    assert run(main, argv) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(enlarge), "PSNR", "large", "small", "tiny", "network", "bicubic"]
    assert lines[0] == f"{enlarge} in onnxruntime on cpu, float32"
    assert len({len(line) for line in lines[1:]}) == 1, "the columns are aligned"
    written = json.loads(report.read_text())
    ours = evaluate(ENLARGE, load_pairs(folder, "val", report=pytest.fail))
    assert written["network"]["psnr"] == pytest.approx(ours.psnr)
    assert written["network"]["pictures"] == 3
    assert set(written["per_picture"]) == {"small", "large", "tiny"}
    assert f"{ours.psnr:.3f}" in lines[-2]
    assert (written["engine"], written["precision"]) == ("onnxruntime", "float32")


def test_command_refuses_an_engine_that_does_not_run_the_file(enlarge, capsys):
    assert run(main, [str(enlarge), "--engine", "torch"]) == BAD_INPUT
    assert "--engine torch does not run a .onnx file" in capsys.readouterr().err
    assert run(main, ["net.pth", "--dtype", "int8"]) == BAD_INPUT
    assert "--dtype" in capsys.readouterr().err


def test_command_names_a_missing_folder(enlarge, tmp_path, capsys):
    assert run(main, [str(enlarge), "--val", str(tmp_path / "nowhere")]) == BAD_INPUT
    assert "nowhere" in capsys.readouterr().err
