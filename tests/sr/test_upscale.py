"""The command: files and folders in, results and exit codes out."""

import json

import numpy as np
import pytest
from PIL import Image
from torch import nn

from sr.command import BAD_INPUT, DONE, SOME_FAILED, run
from sr.data.images import Picture, read_picture, write_picture
from sr.exporting import export_onnx
from sr.upscale import main

# Repeats every pixel 4 x 4 times.
ENLARGE = nn.Upsample(scale_factor=4)


@pytest.fixture(scope="module")
def onnx_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "enlarge.onnx"
    assert export_onnx(ENLARGE, path) == 0.0
    return path


def random_picture(height, width):
    return Picture(np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_command_upscales_files_and_folders(onnx_path, tmp_path, capsys):
    one, two = random_picture(18, 30), random_picture(5, 7)
    (tmp_path / "folder").mkdir()
    write_picture(tmp_path / "one.png", one)
    Image.fromarray(two.rgb).save(tmp_path / "folder" / "two.bmp")
    out, report = tmp_path / "out", tmp_path / "report.json"
    argv = [str(onnx_path), str(tmp_path / "one.png"), str(tmp_path / "folder"), "--out", str(out), "--device", "cpu"]
    assert run(main, [*argv, "--json", str(report)]) == DONE
    np.testing.assert_array_equal(read_picture(out / "one_x4.png").rgb, one.rgb.repeat(4, 0).repeat(4, 1))
    np.testing.assert_array_equal(read_picture(out / "two_x4.png").rgb, two.rgb.repeat(4, 0).repeat(4, 1))
    written = json.loads(report.read_text())
    assert [entry["result"] for entry in written["upscaled"]] == [str(out / "one_x4.png"), str(out / "two_x4.png")]
    assert (written["failed"], written["skipped"], written["left_out"]) == ([], [], {})
    assert (written["engine"], written["precision"], written["scale"]) == ("onnxruntime", "float32", 4)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{onnx_path}, x4, in onnxruntime on cpu, float32"
    assert "one_x4.png" in said[1]
    assert said[-1] == "2 of 2 pictures upscaled"


def test_command_names_broken_pictures_and_goes_on(onnx_path, tmp_path, capsys):
    write_picture(tmp_path / "good.png", random_picture(16, 16))
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:100])
    names = ["broken.png", "missing.png", "good.png"]
    argv = [str(onnx_path), *(str(tmp_path / name) for name in names), "--out", str(tmp_path / "out")]
    assert run(main, [*argv, "--device", "cpu"]) == SOME_FAILED == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert "broken.png" in errors[0]
    assert "missing.png" in errors[1]
    assert errors[2] == f"1 of 3 pictures upscaled, failed: {tmp_path / 'broken.png'}, {tmp_path / 'missing.png'}"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good_x4.png"]


def test_command_takes_what_results_are_written_as(onnx_path, tmp_path, capsys):
    (tmp_path / "in" / "below").mkdir(parents=True)
    write_picture(tmp_path / "in" / "a.png", random_picture(16, 16))
    Image.fromarray(random_picture(16, 16).rgb).save(tmp_path / "in" / "below" / "a.bmp")
    argv = [str(onnx_path), str(tmp_path / "in"), "--out", str(tmp_path / "in"), "--device", "cpu", "--recursive"]
    argv += ["--format", "jpg", "--quality-level", "90", "--skip-existing", "--to-srgb", "--max-pixels", "256"]
    assert run(main, argv) == DONE
    assert (tmp_path / "in" / "a_x4.jpg").is_file()
    assert (tmp_path / "in" / "below" / "a_x4.jpg").is_file()
    capsys.readouterr()
    assert run(main, argv) == DONE
    ended = capsys.readouterr()
    assert ended.out.splitlines()[-1] == "0 of 2 pictures upscaled, 2 skipped whose result is there"
    assert "left out: 2 upscaled before" in ended.err
    assert run(main, [*argv[:-2], "--max-pixels", "255", "--format", "webp"]) == SOME_FAILED
    assert "allow it by --max-pixels 256" in capsys.readouterr().err


def test_command_refuses_results_of_one_name_and_bad_tiles(onnx_path, tmp_path, capsys):
    for folder in ("one", "two"):
        write_picture(tmp_path / folder / "a.png", random_picture(16, 16))
    base = [str(onnx_path), str(tmp_path / "one" / "a.png")]
    assert run(main, [*base, str(tmp_path / "two" / "a.png"), "--out", str(tmp_path / "out")]) == BAD_INPUT
    assert "would both become" in capsys.readouterr().err
    assert run(main, [*base, "--tile", "3"]) == BAD_INPUT
    assert "--tile must be 0 or at least 16, got 3" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_command_says_what_is_no_network(tmp_path, capsys):
    write_picture(tmp_path / "a.png", random_picture(16, 16))
    for name in ("missing.pth", "missing.onnx"):
        argv = [str(tmp_path / name), str(tmp_path / "a.png"), "--out", str(tmp_path)]
        assert run(main, argv) == BAD_INPUT
        errors = capsys.readouterr().err.splitlines()
        assert len(errors) == 1
        assert name in errors[0]
