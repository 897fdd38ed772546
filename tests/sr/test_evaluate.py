"""The command: a table, JSON, and one line where something is missing."""

import json
import math

import numpy as np
import pytest
from torch import nn

from sr.command import BAD_INPUT, DONE, run
from sr.data.images import Picture, read_picture, write_picture
from sr.data.sources import load_pairs
from sr.evaluate import as_json, main
from sr.exporting import export_onnx
from sr.measure.quality import Quality, evaluate

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
    assert [line.split()[0] for line in lines[2:]] == ["PSNR", "large", "small", "tiny", "network", "bicubic"]
    assert lines[0] == f"{enlarge}, x4, in onnxruntime on cpu, float32"
    assert lines[1] == "3 pictures, LR 3 made by MATLAB's bicubic"
    assert len({len(line) for line in lines[2:]}) == 1, "the columns are aligned"
    written = json.loads(report.read_text())
    ours = evaluate(ENLARGE, load_pairs(folder, "val", report=pytest.fail))
    assert written["network"]["psnr"] == pytest.approx(ours.psnr)
    assert written["network"]["pictures"] == 3
    assert set(written["per_picture"]) == {"small", "large", "tiny"}
    assert f"{ours.psnr:.3f}" in lines[-2]
    assert (written["engine"], written["precision"], written["scale"]) == ("onnxruntime", "float32", 4)


@pytest.mark.parametrize("scale", [2, 3])
def test_a_network_of_another_scale_is_scored_on_lr_of_that_scale(scale, folder, tmp_path, capsys):
    path, report = tmp_path / "enlarge.onnx", tmp_path / "quality.json"
    export_onnx(nn.Upsample(scale_factor=scale), path)
    assert run(main, [str(path), "--val", str(folder), "--device", "cpu", "--json", str(report)]) == DONE
    assert capsys.readouterr().out.splitlines()[0] == f"{path}, x{scale}, in onnxruntime on cpu, float32"
    written = json.loads(report.read_text())
    pairs = load_pairs(folder, "val", report=pytest.fail, scale=scale)
    assert written["network"]["psnr"] == pytest.approx(evaluate(nn.Upsample(scale_factor=scale), pairs).psnr)
    assert written["bicubic"]["psnr"] > written["network"]["psnr"]
    assert written["scale"] == scale


def test_command_refuses_an_engine_that_does_not_run_the_file(enlarge, capsys):
    assert run(main, [str(enlarge), "--engine", "torch"]) == BAD_INPUT
    assert "--engine torch does not run a .onnx file" in capsys.readouterr().err
    assert run(main, ["net.pth", "--dtype", "int8"]) == BAD_INPUT
    assert "--dtype" in capsys.readouterr().err


def test_command_names_a_missing_folder(enlarge, tmp_path, capsys):
    assert run(main, [str(enlarge), "--val", str(tmp_path / "nowhere")]) == BAD_INPUT
    assert "nowhere" in capsys.readouterr().err


def test_lr_that_is_given_is_what_is_scored_and_all_pictures_are_listed(enlarge, folder, tmp_path, capsys):
    """EDSR's layout, with LR that nobody would make: all black."""
    val = tmp_path / "val"
    for path in folder.iterdir():
        picture = read_picture(path)
        height, width = picture.rgb.shape[:2]
        write_picture(val / "HR" / path.name, picture)
        black = Picture(np.zeros((height // 4, width // 4, 3), np.uint8))
        write_picture(val / "LR_bicubic" / "X4" / f"{path.stem}x4.png", black)
    (val / "HR" / "notes.txt").touch()
    report = tmp_path / "quality.json"
    assert run(main, [str(enlarge), "--val", str(val), "--device", "cpu", "--json", str(report)]) == DONE
    captured = capsys.readouterr()
    assert "3 pictures, LR 3 given" in captured.out
    assert "left out 1: 1 no picture (notes.txt)" in captured.err
    written = json.loads(report.read_text())
    hr = read_picture(folder / "large.png").rgb / 255
    assert written["per_picture"]["large"]["psnr"] == pytest.approx(-10 * math.log10((hr[4:-4, 4:-4] ** 2).mean()))
    pictures = written["pictures"]
    assert [each["lr"] for each in pictures["used"]] == [
        str(val / "LR_bicubic" / "X4" / f"{name}x4.png") for name in ("large", "small", "tiny")
    ]
    assert [each["reason"] for each in pictures["left_out"]] == ["no picture"]


def test_several_folders_and_those_below_are_scored_together(enlarge, folder, tmp_path, capsys):
    other = tmp_path / "other" / "deep"
    write_picture(other / "tiny.png", read_picture(folder / "tiny.png"))
    argv = [str(enlarge), "--device", "cpu", "--val", str(folder), "--val", str(other.parent), "--per-picture"]
    assert run(main, argv) == BAD_INPUT
    assert "--recursive" in capsys.readouterr().err
    assert run(main, [*argv, "--recursive"]) == DONE
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[3:]]
    assert names == ["large", "small", "pictures/tiny", "other/deep/tiny", "network", "bicubic"]
