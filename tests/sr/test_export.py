"""The command that exports: every format, what it says of each, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch

import baselines
from sr.checkpoint import Checkpoint, Description, save
from sr.command import BAD_INPUT, DONE, run
from sr.errors import InputError
from sr.export import main
from sr.export_config import DEFAULT_FORMATS, ExportConfig
from sr.exporting import load_onnx
from sr.parity import TOLERANCE
from sr.upscaling import load_upscaler


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of a small hand-designed network in training form."""
    path = tmp_path_factory.mktemp("network") / "small.pth"
    config = {"name": "ecbsr", "num_feat": 4, "num_block": 1}
    torch.manual_seed(0)
    save(path, Checkpoint(Description("baseline", config), baselines.build_family(config).state_dict()))
    return path


def test_every_format_is_written_and_said_to_agree(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    assert run(main, [str(checkpoint), "--out", str(tmp_path), "--json", str(figures)]) == DONE
    said = capsys.readouterr().out
    for ending in DEFAULT_FORMATS:
        assert (tmp_path / f"small.{ending}").stat().st_size > 0
        assert f"small.{ending}: " in said
    differences = json.loads(figures.read_text(encoding="utf-8"))
    assert differences["small.safetensors"] == 0
    assert all(differences[f"small.{ending}"] <= TOLERANCE for ending in ("onnx", "pt2"))
    assert said.count("of PyTorch at 53x37, 48x64, 31x90, 40x24, 16x16, batch 1 and 3") == len(DEFAULT_FORMATS)
    lr = torch.rand(1, 3, 20, 30)
    with torch.inference_mode():
        assert torch.allclose(load_onnx(tmp_path / "small.onnx")(lr), load_upscaler(checkpoint)(lr), atol=TOLERANCE)


def test_one_format_leaves_one_file(checkpoint: Path, tmp_path: Path) -> None:
    assert run(main, [str(checkpoint), "--formats", "safetensors", "--out", str(tmp_path)]) == DONE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MODEL.md", "small.safetensors"]


def test_a_size_makes_files_of_that_size(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [str(checkpoint), "--lr-size", "24x16", "--formats", "onnx,pt2", "--out", str(tmp_path)]
    assert run(main, argv) == DONE
    assert capsys.readouterr().out.count("of PyTorch at 24x16") == 2
    fixed = load_onnx(tmp_path / "small.onnx")
    assert fixed(torch.rand(1, 3, 16, 24)).shape == (1, 3, 64, 96)
    with pytest.raises(InputError):
        fixed(torch.rand(1, 3, 24, 24))
    assert run(main, [str(checkpoint), "--lr-size", "24"]) == BAD_INPUT
    assert "'24'" in capsys.readouterr().err


def test_openvino_is_written_with_its_weights_and_opens_again(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openvino", reason="takes openvino: pip install openvino")
    assert run(main, [str(checkpoint), "--formats", "openvino", "--out", str(tmp_path)]) == DONE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MODEL.md", "small.bin", "small.xml"]
    size = sum(path.stat().st_size for path in tmp_path.glob("small.*"))
    assert f"small.xml: {size / 1e3:,.0f} kB, within" in capsys.readouterr().out
    lr = torch.rand(1, 3, 20, 30)
    ours, theirs = load_upscaler(tmp_path / "small.xml")(lr), load_upscaler(checkpoint)(lr)
    assert torch.allclose(ours, theirs, atol=TOLERANCE)


FAMILIES = {
    "baseline": {"name": "safmn", "num_feat": 8, "num_block": 1},
    "training form": {"name": "span", "num_feat": 8, "num_block": 2, "branched": True},
    "attention": {"name": "rfdn", "num_feat": 8, "num_block": 1},
    "odd sides": {"name": "rt4ksr", "num_feat": 8, "num_block": 1},
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_network_is_written_for_pytorch_alone(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = tmp_path / "net.pth"
    save(
        network,
        Checkpoint(Description("baseline", FAMILIES[kind]), baselines.build_family(FAMILIES[kind]).state_dict()),
    )
    assert run(main, [str(network), "--format", "torchscript,py", "--out", str(tmp_path / "out")]) == DONE
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "MODEL.md", "net.py", "net.torchscript", "net.weights.pt",
    ]  # fmt: skip
    captured = capsys.readouterr()
    assert captured.out.count("of PyTorch at 53x37, 48x64, 31x90, 40x24, 16x16, batch 1 and 3") == 2
    assert captured.err == ""


@pytest.mark.parametrize("scale", [2, 3])
def test_a_network_of_another_scale_is_exported_as_such(scale: int, tmp_path: Path) -> None:
    config = {"name": "ecbsr", "num_feat": 4, "num_block": 1, "scale": scale}
    network, out = tmp_path / "net.pth", tmp_path / "out"
    save(network, Checkpoint(Description("baseline", config), baselines.build_family(config).state_dict()))
    assert run(main, [str(network), "--format", "onnx,py", "--out", str(out)]) == DONE
    ours, theirs = load_upscaler(network), load_upscaler(out / "net.onnx")
    assert ours.scale == theirs.scale == scale
    lr = torch.rand(1, 3, 20, 30)
    assert ours(lr).shape == (1, 3, 20 * scale, 30 * scale)
    assert torch.allclose(ours(lr), theirs(lr), atol=TOLERANCE)
    texts = [(out / name).read_text(encoding="utf-8") for name in ("MODEL.md", "net.py", "demo/index.html")]
    for text, said in zip(
        texts, (f"# x{scale} super", f"(n, 3, {scale}h, {scale}w)", f'"scale": {scale}'), strict=True
    ):
        assert said in text


def test_the_checkpoint_itself_is_never_written_over(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = tmp_path / "small.onnx"
    network.write_bytes(checkpoint.read_bytes())
    assert run(main, [str(network), "--format", "onnx", "--out", str(tmp_path)]) == BAD_INPUT
    assert "is the checkpoint itself" in capsys.readouterr().err
    assert network.read_bytes() == checkpoint.read_bytes()


@pytest.mark.parametrize("formats", ["", "onnx,tflite", "ONNX"])
def test_an_unknown_format_is_named_with_those_that_are(formats: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        InputError, match="--format must be of onnx, pt2, safetensors, torchscript, py, openvino, tensorrt"
    ):
        ExportConfig(Path("x.pth"), tuple(formats.split(",")))
    assert run(main, ["x.pth", "--format", formats]) == BAD_INPUT
    assert repr(formats) in capsys.readouterr().err


def test_no_checkpoint_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, [str(tmp_path / "x.pth"), "--out", str(tmp_path)]) == BAD_INPUT
    assert "no checkpoint at" in capsys.readouterr().err
