"""The command: from a checkpoint to a pruned network beside its rivals, and one line for whatever is wrong."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from skimage import data

from prune import compare
from prune import run as command
from prune.costs import Costs
from prune.flow import flow
from prune.network import opened
from prune.plan import Plan
from prune.run import main
from prune.sites import sites_of
from sr.checkpoint import Checkpoint, Description, load, load_network, save
from sr.command import BAD_INPUT, DONE, INTERRUPTED, run
from sr.latency import Protocol

SHORT = [
    "--rounds", "2", "--tick-steps", "2", "--tock-steps", "2", "--fine-tune-steps", "2",
    "--batch", "2", "--patch", "8", "--lr-size", "24x24", "--device", "cpu",
]  # fmt: skip
HCSRN = {"name": "hcsrn", "num_feat": 8, "num_block1": 1, "num_block2": 1}
LIMITS = ["--target", "params,activations", "--budget", "5000,100000"]


@pytest.fixture(autouse=True, scope="module")
def _few_runs() -> Iterator[None]:
    """Time by a few runs, on a busy machine too: what is tested is not how long a network takes."""
    protocol = Protocol(seconds=0.0, minimum_runs=3, quiet_seconds=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "QUICK", protocol)
        patch.setattr(compare, "SIDE_BY_SIDE", protocol)
        patch.setattr("sr.device_table.QUIET_SECONDS", 0.0)
        patch.setattr("sr.timing.LONGEST_MS", 0.0)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small picture to train on, one to validate on, and tiny checkpoints."""
    folder = tmp_path_factory.mktemp("folder")
    for part, picture in (("train", data.astronaut()[100:260, 100:260]), ("val", data.chelsea()[100:180, 100:180])):
        (folder / part).mkdir()
        Image.fromarray(picture).save(folder / part / "picture.png")
    for config in (HCSRN, {"name": "imdn", "num_feat": 16, "num_block": 2}):
        torch.manual_seed(0)
        description = Description("baseline", config)
        save(folder / f"{config['name']}.pth", Checkpoint(description, description.build().state_dict()))
    return folder


def arguments(folder: Path, out: Path, *more: str, of: str = "hcsrn.pth") -> list[str]:
    pictures = ["--data", str(folder / "train"), "--val", str(folder / "val")]
    return [str(folder / of), "--out", str(out), *pictures, *SHORT, *more]


def interrupted(patch: pytest.MonkeyPatch, argv: list[str]) -> None:
    """Run a command that is interrupted before it exports, which takes longer than all that went before."""

    def interrupt(*_: Any) -> float:
        raise KeyboardInterrupt

    with patch.context() as inner:
        inner.setattr(command, "export_onnx", interrupt)
        assert run(main, argv) == INTERRUPTED


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("*/*"))}


@pytest.fixture(scope="module")
def done(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Return the folder of a pruning that was interrupted near its end, and what lay there before it went on."""
    out = tmp_path_factory.mktemp("done") / "out"
    flags = [*LIMITS, "--distillation", "0.5", "--json", str(out / "figures.json")]
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, arguments(folder, out, *flags))
    before = contents(out)
    assert not (out / "results.json").exists()
    assert run(main, [*arguments(folder, out, *flags), "--resume"]) == DONE
    return out, before


def test_everything_lies_in_the_folder(done: tuple[Path, dict[str, bytes]]) -> None:
    out, _ = done
    assert {path.name for path in out.iterdir()} == {
        "asked.json", "dense", "figures.json", "group", "magnitude", "nested", "network.onnx", "page.html",
        "results.json",
    }  # fmt: skip
    for arm in ("nested", "group", "magnitude"):
        assert {path.name for path in (out / arm).iterdir()} == {
            "execution.json", "gates.state", "network.pth", "plan.json",
        }  # fmt: skip
    assert json.loads((out / "asked.json").read_text())["budget"] == "5000,100000"
    page = (out / "page.html").read_text()
    assert "Pruning hcsrn.pth" in page
    assert "python -m prune.run" in page


def test_going_on_repeats_nothing(done: tuple[Path, dict[str, bytes]]) -> None:
    out, before = done
    assert len(before) == 13
    assert contents(out) == before


def test_the_results_tell_every_arm(done: tuple[Path, dict[str, bytes]]) -> None:
    out, _ = done
    results = json.loads((out / "results.json").read_text())
    assert results == json.loads((out / "figures.json").read_text())
    arms = {arm["name"]: arm for arm in results["arms"]}
    assert list(arms) == ["dense", "fine (nested)", "group", "magnitude"]
    assert results["exported"] == "fine (nested)"
    assert results["left_out"] == []
    dense = arms.pop("dense")
    for arm in arms.values():
        assert arm["difference"] < 1e-5
        assert arm["measurement"]["complexity"]["params"] < dense["measurement"]["complexity"]["params"]
        assert len(arm["layers"]) == 19
    assert len(results["verdict"]) >= 5


def test_every_network_loads_and_the_export_agrees(done: tuple[Path, dict[str, bytes]]) -> None:
    out, _ = done
    lr = torch.rand(1, 3, 21, 18)
    for arm in ("dense", "nested", "group", "magnitude"):
        checkpoint = load(out / arm / "network.pth")
        assert checkpoint.description.family == "pruned"
        assert (checkpoint.recipe["steps"], checkpoint.recipe["distillation"]) == (2, 0.5)
        with torch.inference_mode():
            assert load_network(out / arm / "network.pth")(lr).shape == (1, 3, 84, 72)
    with torch.inference_mode():
        expected = load_network(out / "nested" / "network.pth")(lr).numpy()
    (got,) = onnxruntime.InferenceSession(out / "network.onnx").run(None, {"lr": lr.numpy()})
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_a_folder_in_use_is_left_alone(
    folder: Path, done: tuple[Path, dict[str, bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, before = done
    assert run(main, arguments(folder, out, *LIMITS)) == BAD_INPUT
    assert "holds a pruning; go on with --resume" in capsys.readouterr().err
    assert run(main, arguments(folder, out, *LIMITS, "--resume", "--seed", "7")) == BAD_INPUT
    assert "--seed was 0" in capsys.readouterr().err
    assert contents(out) == before


def test_a_pruned_network_is_pruned_again(
    folder: Path, done: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = done[0] / "nested" / "network.pth"
    pictures = ["--data", str(folder / "train"), "--val", str(folder / "val"), *SHORT]
    flags = ["--target", "params", "--ratio", "0.5", "--arms", "fine", "--mode", "free"]
    interrupted(monkeypatch, [str(source), "--out", str(tmp_path / "again"), *pictures, *flags])
    again = load(tmp_path / "again" / "free" / "network.pth").description.config
    assert again["of"] == {"family": "baseline", "config": HCSRN}
    _, graph, before = opened(load(source))
    kept = Plan.from_json(again["plan"]).kept
    # What was dropped behind a gate stays dropped.
    for member in (site.member for site in sites_of(graph)):
        if all(len(unit) == 1 for unit in member.channels):
            channels = {channel for (channel,) in member.channels}
            was, now = (getattr(each[member.conv], member.side) for each in (before, kept))
            assert channels & set(now) <= set(was)
    # The share is that of what the earlier pruning left.
    costs = Costs(graph, (24, 24))
    assert costs.of(flow(graph, kept), "params") <= 0.5 * costs.of(flow(graph, before), "params")


def test_a_rival_that_cannot_is_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--target", "params", "--psnr-floor", "1", "--fine-tune-steps", "0", "--tick-steps", "1"]
    monkeypatch.setattr(command, "FLOOR_ROUNDS", 2)
    interrupted(monkeypatch, arguments(folder, tmp_path / "out", *flags, "--arms", "fine,group", of="imdn.pth"))
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("group is left out")]
    assert "torch-pruning cannot prune" in line
    assert (tmp_path / "out" / "nested" / "network.pth").is_file()
    assert run(main, arguments(folder, tmp_path / "alone", "--arms", "group", of="imdn.pth")) == BAD_INPUT
    assert "no arm is left (group is left out: torch-pruning cannot" in capsys.readouterr().err


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that a command ends in."""
    capsys.readouterr()
    assert run(main, argv) == BAD_INPUT
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--ratio", "0"], "over 0 and under 1; got '0'"),
        (["--ratio", "1"], "over 0 and under 1; got '1'"),
        (["--ratio", "-1"], "over 0 and under 1; got '-1'"),
        (["--ratio", "nan"], "over 0 and under 1; got 'nan'"),
        (["--ratio", "abc"], "--ratio must be numbers between commas, got 'abc'"),
        (["--ratio", "0.5,0.5"], "one number per target"),
        (["--target", "params,runtime", "--budget", "1,2,3"], "one number per target"),
        (["--budget", "0"], "--budget takes one number per target, over 0"),
        (["--budget-ms", "inf"], "over 0"),
        (["--budget-ms", "3", "--target", "params"], "--budget-ms stands for --target runtime"),
        (["--budget-ms", "3", "--ratio", "0.5"], "exclude each other"),
        (["--psnr-floor", "nan"], "--psnr-floor must be a number of dB"),
        (["--arms", "fine,rough"], "--arms is of fine, group, magnitude; got 'fine,rough'"),
        (["--mode", "loose"], "--mode is of free, pulled, nested; got 'loose'"),
        (["--target", "speed"], "--target is of params, multi_adds, activations, runtime; got 'speed'"),
        (["--dtype", "int8"], "--dtype is of"),
        (["--rounds", "0"], "--rounds must be over 0, got 0"),
        (["--tick-steps", "-1"], "--tick-steps must be over 0"),
        (["--fine-tune-steps", "-1"], "--fine-tune-steps must be at least 0"),
        (["--distillation", "2"], "--distillation must be within 0 and 1"),
        (["--learning-rate", "nan"], "--learning-rate must be over 0"),
        (["--lr-size", "24"], "LR size"),
        (["--resume"], "there is no pruning in"),
        (["--nosuch"], "unrecognized arguments"),
    ],
)
def test_bad_flags_are_one_line_and_two(
    flags: list[str], words: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused([str(folder / "hcsrn.pth"), "--out", str(tmp_path / "out"), *flags], capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--budget-ms", "100000"], "within its limit already: runtime is"),
        (["--target", "params", "--budget", "1e9"], "within its limit already: params is"),
        (["--budget-ms", "1e-6", "--arms", "fine"], "no plan of this network stays within"),
        (["--data", "/nosuch/folder"], "/nosuch/folder"),
    ],
)
def test_limits_that_cannot_be_are_one_line_and_two(
    flags: list[str], words: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(arguments(folder, tmp_path / "out", *flags), capsys)


def test_what_could_not_begin_can_begin_again(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert "/nosuch" in refused(arguments(folder, tmp_path / "out", "--val", "/nosuch"), capsys)


def test_broken_checkpoints_are_one_line_and_two(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.pth"
    pictures = ["--data", str(folder / "train"), "--val", str(folder / "val"), *SHORT]
    argv = [str(path), "--out", str(tmp_path / "out"), *pictures]
    assert f"python -m baselines.train hcsrn --out {path} makes one" in refused(argv, capsys)
    whole = (folder / "hcsrn.pth").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is no checkpoint" in refused(argv, capsys)
    path.write_bytes(pickle.dumps(Path("a pickle of something else")))
    assert "nothing in it was run" in refused(argv, capsys)
    content = torch.load(folder / "hcsrn.pth", weights_only=True)
    name = next(iter(content["tensors"]))
    torch.save(content | {"tensors": content["tensors"] | {name: content["tensors"][name] * torch.nan}}, path)
    assert "finite numbers" in refused(argv, capsys)
    tensors = {key: tensor for key, tensor in content["tensors"].items() if key != name}
    torch.save(content | {"tensors": tensors}, path)
    assert f"{path}: its tensors are not those of its description" in refused(argv, capsys)


def test_a_record_that_is_none_is_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("", "[]"):
        (tmp_path / "asked.json").write_text(content)
        assert "does not say what was asked for" in refused(arguments(folder, tmp_path, "--resume"), capsys)


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "python -m prune.run hcsrn.pth --target runtime" in capsys.readouterr().out
