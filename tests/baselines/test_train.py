"""The command that trains a baseline."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage import data

import baselines
from baselines.train import deployed_form, main
from sr.checkpoint import load, load_network
from sr.command import BAD_INPUT, DONE, INTERRUPTED, run
from sr.deployment import deploy

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--batch", "2", "--patch", "16", "--steps", "12"]
SMALL = {
    "larvanet": ["--num-feat", "8", "--config", "num_block=1", "--config", "num_body=2"],
    "fimdn": ["--num-feat", "8", "--config", "num_block=1"],
    "rfdn": ["--num-feat", "8", "--config", "num_block=1"],
    "dilutnet": ["--num-feat", "8", "--config", "num_block=1"],
    "span": ["--num-feat", "8"],
    "hcsrn": ["--num-feat", "8", "--config", "num_block1=1", "--config", "num_block2=1"],
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the flags that name a small picture to train on and one to validate on."""
    folder = tmp_path_factory.mktemp("pictures")
    for part, picture in (("data", data.astronaut()[100:260, 100:260]), ("val", data.chelsea()[100:180, 100:180])):
        (folder / part).mkdir()
        Image.fromarray(picture).save(folder / part / "picture.png")
    return ["--data", str(folder / "data"), "--val", str(folder / "val")]


@pytest.mark.parametrize("name", SMALL)
def test_each_kind_of_training_ends_in_a_network_that_loads(
    name: str, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "network.pth"
    figures = tmp_path / "figures.json"
    assert run(main, [name, *SMALL[name], *QUICK, *pictures, "--out", str(out), "--json", str(figures)]) == DONE
    assert "against bicubic's" in capsys.readouterr().out
    network = load_network(out)
    assert load(out).description.config["name"] == name
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 24, 32)).shape == (1, 3, 96, 128)
    assert json.loads(figures.read_text())["network"]["pictures"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures.json", "network.pth"]


def test_without_a_folder_it_trains_on_the_embedded_photographs(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    flags = [*SMALL["rfdn"], "--batch", "2", "--patch", "16", "--steps", "1", "--json", str(figures)]
    assert run(main, ["rfdn", *flags, "--out", str(tmp_path / "network.pth")]) == DONE
    assert json.loads(figures.read_text())["network"]["pictures"] == 3


@pytest.mark.parametrize(("name", "form"), [("larvanet", {"legs": True}), ("fimdn", {"branched": True})])
def test_the_shipped_form_computes_what_was_trained(name: str, form: dict[str, bool]) -> None:
    trained = baselines.build(name, num_feat=8, num_block=1, **form).double()
    shipped = deployed_form(name, {"num_feat": 8, "num_block": 1}, trained)
    lr = torch.rand(1, 3, 20, 24)
    with torch.inference_mode():
        expected = deploy(trained)(lr.double())
        torch.testing.assert_close(shipped(lr).double(), expected, atol=1e-4, rtol=0)
    assert sum(p.numel() for p in shipped.parameters()) < sum(p.numel() for p in trained.parameters())


@pytest.mark.skipif(os.name == "nt", reason="interrupts a process by a POSIX signal")
def test_an_interrupted_training_goes_on_and_ends_as_asked(tmp_path: Path, pictures: list[str]) -> None:
    flags = ["rfdn", *SMALL["rfdn"], "--batch", "2", "--patch", "16", "--steps", "400", *pictures]
    parts = tmp_path / "parts.pth"
    command = [sys.executable, "-m", "baselines.train", *flags, "--out", str(parts)]
    # It waits for nobody else's measurements.
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)
    deadline = time.monotonic() + 120
    partial = parts.with_name("parts.pth.partial")
    while time.monotonic() < deadline and process.poll() is None and not partial.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    if process.returncode != DONE:
        assert process.returncode == INTERRUPTED, errors
        assert partial.exists()
        assert run(main, [*flags, "--out", str(parts)]) == BAD_INPUT
        assert run(main, [*flags, "--out", str(parts), "--resume"]) == DONE
    # Precision and memory format are settled anew in each process, by time: no tensor can be compared.
    assert load(parts).description.config == {"name": "rfdn", "num_feat": 8, "num_block": 1}
    assert not partial.exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["nosuch"], "a baseline is one of"),
        (["rfdn", "--num-feat", "7"], "must be a multiple of 2"),
        (["rfdn", "--config", "num_block"], "--config is KEY=VALUE"),
        (["rfdn", "--config", "colour=1"], "got 'colour'"),
        (["rfdn", "--steps", "0"], "--steps must be over 0"),
        (["rfdn", "--resume"], "there is no interrupted training"),
    ],
)
def test_bad_input_is_one_line_and_two(
    flags: list[str], words: str, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(main, [*flags, *pictures, "--out", str(tmp_path / "network.pth")]) == BAD_INPUT
    errors = capsys.readouterr().err
    assert words in errors
    assert errors.count("\n") == 1


def test_a_checkpoint_that_is_there_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "network.pth"
    out.write_text("mine")
    assert run(main, ["rfdn", *QUICK, "--out", str(out)]) == BAD_INPUT
    assert "is already there" in capsys.readouterr().err
    assert out.read_text() == "mine"
