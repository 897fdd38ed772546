"""The command that trains a baseline."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage import data

from baselines import BASELINES
from baselines.train import main, parse
from baselines.training import train
from sr.checkpoint import load, load_network
from sr.command import BAD_INPUT, DONE, run
from sr.progress import Event, Message

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


@pytest.mark.parametrize(("name", "scale"), [("rfdn", 2), ("fsrcnn", 3)])
def test_at_another_scale_it_is_trained_and_judged_on_pictures_of_that(
    name: str, scale: int, pictures: list[str], tmp_path: Path
) -> None:
    out, figures = tmp_path / "network.pth", tmp_path / "figures.json"
    flags = ["--scale", str(scale), "--num-feat", "8", "--config", "num_block=1", *QUICK, *pictures]
    assert run(main, [name, *flags, "--out", str(out), "--json", str(figures)]) == DONE
    assert load(out).description.config == {"name": name, "num_feat": 8, "num_block": 1, "scale": scale}
    with torch.inference_mode():
        assert load_network(out)(torch.rand(1, 3, 24, 32)).shape == (1, 3, scale * 24, scale * 32)
    assert json.loads(figures.read_text())["network"]["pictures"] == 1


def test_results_are_named_by_the_scale() -> None:
    assert parse(["rfdn"]).out == Path("rfdn.pth")
    assert parse(["rfdn", "--scale", "2"]).out == Path("rfdn_x2.pth")


def test_without_a_folder_it_trains_on_the_embedded_photographs(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    flags = [*SMALL["rfdn"], "--batch", "2", "--patch", "16", "--steps", "1", "--json", str(figures)]
    assert run(main, ["rfdn", *flags, "--out", str(tmp_path / "network.pth")]) == DONE
    assert json.loads(figures.read_text())["network"]["pictures"] == 3


def interrupted_at_the_second_stage(event: Event) -> None:
    """Do what Ctrl-C does, once the first stage is over."""
    if isinstance(event, Message) and event.text.startswith("stage 2"):
        raise KeyboardInterrupt


def test_an_interrupted_training_goes_on_and_ends_as_asked(tmp_path: Path, pictures: list[str]) -> None:
    parts = tmp_path / "parts.pth"
    flags = ["rfdn", *SMALL["rfdn"], *QUICK, *pictures, "--out", str(parts)]
    with pytest.raises(KeyboardInterrupt):
        train(parse(flags), interrupted_at_the_second_stage)
    partial = parts.with_name("parts.pth.partial")
    assert partial.exists()
    assert not parts.exists()
    assert run(main, flags) == BAD_INPUT
    assert run(main, [*flags, "--resume"]) == DONE
    # Precision and memory format are autotuned anew, by time: no tensor can be compared.
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
        (["rfdn", "--scale", "5"], "--scale is one of 2, 3, 4, got 5"),
        (["cfn", "--scale", "2"], "cfn is a network of x4 alone; those that have x2 are msrresnet, imdn"),
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


def test_the_names_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--list"])
    assert capsys.readouterr().out.split() == list(BASELINES)
    with pytest.raises(SystemExit, match="0"):
        main(["--scale", "2", "--list"])
    assert capsys.readouterr().out.split() == [name for name, entry in BASELINES.items() if 2 in entry.scales]
