"""The card beside an export says what is known, and says of the rest that it is not."""

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from PIL import Image

import baselines
from sr.checkpoint import Checkpoint, Description, save
from sr.command import BAD_INPUT, DONE, run
from sr.export import main
from sr.measure.complexity import count
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions
from sr.model_card import Facts
from sr.model_card import card as card_of

CONFIG = {"name": "ecbsr", "num_feat": 4, "num_block": 1}
RUNTIME = Runtime(12.34, 12.0, 13.5, 40, reliable=True, memory_format="contiguous")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return the checkpoint of a run that has nothing else."""
    path = tmp_path / "run" / "chosen" / "network.pth"
    torch.manual_seed(0)
    network = baselines.build_family(CONFIG)
    recipe = {"stages": [{"steps": 1500}, {"steps": 500}]}
    save(path, Checkpoint(Description("baseline", CONFIG), network.state_dict(), recipe=recipe))
    return path


def exported(checkpoint: Path, out: Path, *flags: str) -> str:
    assert run(main, [str(checkpoint), "--out", str(out), *flags]) == DONE
    return (out / "MODEL.md").read_text(encoding="utf-8")


def code(card: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", card, re.DOTALL)
    assert found is not None
    return found[1]


def test_card_of_a_lone_checkpoint_says_what_is_not_known(checkpoint: Path, tmp_path: Path) -> None:
    card = exported(checkpoint, tmp_path / "out", "--format", "safetensors")
    assert "designed by hand" in card
    assert f"- parameters: {count(baselines.build_family(CONFIG)).params:,}" in card
    assert "- trained for 2,000 steps" in card
    assert card.count("Not known for this file") == 2
    assert "licence of the pictures: not given" in card
    assert "```" not in card
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["MODEL.md", "network.safetensors"]


def test_card_of_a_measured_network_says_how_good_and_how_fast(checkpoint: Path, tmp_path: Path) -> None:
    conditions = Conditions("a processor", "a driver", "versions 1", 2, (270, 480), "float32", "openvino")
    network = baselines.build_family(CONFIG)
    measured = Measurement(count(network, (270, 480)), RUNTIME, conditions, 20.0, Quality(26.014, 27.86, 0.7612, 14))
    more = {"bicubic": asdict(Quality(24.58, 26.22, None, 14)), "engines": {"openvino": asdict(RUNTIME)}}
    (checkpoint.parent / "measurement.json").write_text(json.dumps(measured.to_json() | more))
    used = [{"hr": "/photos/BSDS500/a.png"}, {"hr": "/photos/BSDS500/b.png"}]
    pictures = {"train": {"fingerprint": "f" * 64, "used": used}, "val": {"fingerprint": "0" * 64, "used": []}}
    (checkpoint.parents[1] / "pictures.json").write_text(json.dumps(pictures))
    card = exported(checkpoint, tmp_path / "out", "--format", "py", "--data-licence", "CC BY 4.0")
    assert "| network | 26.01 | 27.86 | 0.7612 |" in card
    assert "| bicubic interpolation | 24.58 | 26.22 |  |" in card
    assert "| openvino | 12.3 | 12.0 to 13.5 | 40 | float32 | yes |" in card
    assert "one LR picture of 480x270" in card
    assert "On a processor, 2 threads; a driver; versions 1." in card
    assert "trained on 2 pictures of `photos/BSDS500` (fingerprint ffffffffffffffff)" in card
    assert "licence of the pictures: CC BY 4.0" in card
    assert "`load()` of this module, with `network.weights.pt` beside it" in card


@pytest.mark.parametrize("scale", [2, 3])
def test_card_is_of_the_scale_of_the_network(scale: int) -> None:
    conditions = asdict(Conditions("a processor", "a driver", "versions 1", 2, (32, 32), "float32", "openvino"))
    measured = {"quality": asdict(Quality(30.0, 31.0, 0.9, 3)), "conditions": conditions, "runtime": asdict(RUNTIME)}
    checkpoint, counts = (
        Checkpoint(Description("baseline", {"scale": scale}), {}),
        count(baselines.build_family(CONFIG)),
    )
    card = card_of(Facts(checkpoint, counts, (32, 32), measured, {}, "", (), None))
    assert card.startswith(f"# x{scale} super-resolution network")
    assert f"gives (n, 3, {scale}h, {scale}w)" in card
    assert f"without a border of {scale} pixels" in card


def test_card_of_a_candidate_counts_the_steps_of_all_its_rungs() -> None:
    checkpoint = Checkpoint(
        Description("baseline", CONFIG), {}, recipe={"steps": 1170}, provenance={"ladder": [390, 1560]}
    )
    quality = {"psnr": 25.5, "psnr_y": None, "ssim": None, "pictures": 5}
    place = asdict(Conditions("a processor", "a driver", "versions 1", 2, (32, 32), "float32"))
    measured = {"quality": quality, "judged_on": "the centres of 5 pictures", "conditions": place,
                "runtime": asdict(RUNTIME)}  # fmt: skip
    counts = count(baselines.build_family(CONFIG))
    card = card_of(Facts(checkpoint, counts, (32, 32), measured, {}, "", (), None))
    assert "- trained for 1,560 steps" in card
    assert "On the centres of 5 pictures, 8 bits" in card
    assert "| network | 25.50 |  |  |" in card


def test_card_says_where_another_precision_was_measured(checkpoint: Path, tmp_path: Path) -> None:
    conditions = Conditions("a processor", "a driver", "versions 1", 2, (32, 32), "int8", "onnxruntime")
    measured = Measurement(count(baselines.build_family(CONFIG), (32, 32)), RUNTIME, conditions, None)
    (checkpoint.parent / "measurement.json").write_text(json.dumps(measured.to_json()))
    card = exported(checkpoint, tmp_path / "out", "--format", "safetensors")
    assert card.count("This was measured in int8; the files here are in float32.") == 2
    assert "| onnxruntime | 12.3 |" in card


def test_pictures_inside_scikit_image_have_their_own_licences(checkpoint: Path, tmp_path: Path) -> None:
    used = [{"hr": "/lib/skimage/data/coffee.png"}]
    (checkpoint.parents[1] / "pictures.json").write_text(json.dumps({"train": {"fingerprint": "0", "used": used}}))
    assert "inside scikit-image" in exported(checkpoint, tmp_path / "out", "--format", "safetensors")


def test_what_is_no_measurement_is_named(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkpoint.parent / "measurement.json").write_text("none")
    assert run(main, [str(checkpoint), "--out", str(tmp_path / "out"), "--format", "safetensors"]) == BAD_INPUT
    assert "measurement.json is no JSON" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [(), ("--lr-size", "24x16")])
def test_lines_in_python_upscale_a_picture(checkpoint: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    card = exported(checkpoint, out, "--format", "onnx", *flags)
    Image.new("RGB", (30, 20), "teal").save(out / "photo.png")
    subprocess.run([sys.executable, "-c", code(card, "python")], cwd=out, check=True, capture_output=True)
    with Image.open(out / "upscaled.png") as upscaled:
        assert upscaled.size == ((96, 64) if flags else (120, 80))


def test_lines_of_other_languages_name_the_file_and_its_size(checkpoint: Path, tmp_path: Path) -> None:
    card = exported(checkpoint, tmp_path / "out", "--format", "onnx", "--lr-size", "24x16")
    assert 'ORT_TSTR("network.onnx")' in code(card, "cpp")
    assert "{1, 3, 16, 24}" in code(card, "cpp")
    assert 'InferenceSession.create("network.onnx")' in code(card, "html")
    for language in ("cpp", "html"):
        assert code(card, language).count("{") == code(card, language).count("}")
