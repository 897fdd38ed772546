"""The command, whole: real pictures, real measurements, real trainings, only short ones."""

import json
import math
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from PIL import Image

from nas.config.measurement_plan import MeasurementPlan
from nas.optuna_backend.study import OptunaStudy
from nas.search import main
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from sr.checkpoint import load_network
from sr.command import BAD_INPUT, DONE, INTERRUPTED, NOTHING_MEETS_BUDGET, run
from sr.measure.latency import Protocol

SHORT = ["--lr-size", "32x24", "--trial-steps", "16", "--train-steps", "6", "--batch", "2", "--patch", "8",
         "--workers", "1", "--engine", "torch"]  # fmt: skip
Command = Callable[..., int]


def arguments(out: Path, *more: str) -> list[str]:
    return ["--budget-ms", "60000", "--out", str(out), *SHORT, *more]


@pytest.fixture(scope="module", autouse=True)
def _no_kaleido(hasty: None) -> Iterator[None]:  # noqa: ARG001
    """Run as where no kaleido is installed: it starts a browser for each page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "kaleido", None)
        yield


@pytest.fixture(scope="module")
def command(plan: MeasurementPlan) -> Command:
    """Return what runs the command with flags, and returns its exit code."""

    def typed(flags: list[str], **fields: Protocol) -> int:
        return run(lambda argv: main(argv, plan=replace(plan, **fields)), flags)  # type: ignore[arg-type]

    return typed


@pytest.fixture(scope="module")
def pictures(small_pictures: dict[str, Path]) -> list[str]:
    """Return the flags that name pictures."""
    return ["--data", str(small_pictures["train"]), "--val", str(small_pictures["val"])]


@pytest.fixture(scope="module")
def searched(command: Command, pictures: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("searched")
    assert command(arguments(out, *pictures, "--trials", "4", "--json", str(out / "figures.json"))) == DONE
    return out


def test_everything_promised_is_there(searched: Path) -> None:
    names = {path.name for path in searched.iterdir()}
    assert {"trials.csv", "front.csv", "pareto.html", "closing.txt", "study.journal", "run.toml", "chosen"} <= names
    chosen = {path.name for path in (searched / "chosen").iterdir()}
    assert chosen == {
        "network.pth", "architecture.json", "measurement.json", "network.onnx", "network-32x24.onnx",
    }  # fmt: skip


def test_tables_say_what_was_measured(searched: Path) -> None:
    trials, front = pd.read_csv(searched / "trials.csv"), pd.read_csv(searched / "front.csv")
    assert trials["number"].tolist() == [0, 1, 2, 3]
    assert set(trials["state"]) == {"trained"}
    # One of four trained on, and as the first of its rung at once to the top.
    assert sorted(trials["last_steps"]) == [1, 1, 1, 16]
    measured = ["psnr", "runtime_ms", "runtime_p10", "runtime_p90", "activations", "multi_adds", "params", "convs",
                "memory"]  # fmt: skip
    assert (trials[measured] > 0).all().all()
    assert (trials["runtime_p10"] <= trials["runtime_p90"]).all()
    assert set(front["number"]) <= set(trials["number"])
    assert front["psnr"].max() == trials["psnr"].max()
    assert front["psnr"].is_monotonic_decreasing


def test_shipped_forms_agree_at_a_size_that_they_were_not_exported_at(searched: Path) -> None:
    chosen = searched / "chosen"
    network = load_network(chosen / "network.pth")
    session = onnxruntime.InferenceSession(chosen / "network.onnx")
    lr = torch.rand(1, 3, 37, 53)
    with torch.inference_mode():
        expected = network(lr).numpy()
    (got,) = session.run(None, {"lr": lr.numpy()})
    assert got.shape == (1, 3, 148, 212)
    # Each convolution one after another sums 9 products a feature, each rounded.
    architecture = Architecture.from_json(json.loads((chosen / "architecture.json").read_text()))
    convs = json.loads((chosen / "measurement.json").read_text())["complexity"]["convs"]
    rounding = convs * 9 * architecture.num_feat * np.finfo(np.float32).eps
    assert np.abs(got - expected).max() <= rounding * np.abs(expected).max()


def test_closing_lines_name_choice_runtime_quality_and_tally(searched: Path) -> None:
    closing = (searched / "closing.txt").read_text()
    for words in (
        "Chosen: trial",
        "within the budget of 60000 ms",
        "against bicubic's",
        "4 tried, 4 trained, 1 went on to 4 steps",
        "ecbsr num_feat=64 num_block=16",
    ):
        assert words in closing
    figures = json.loads((searched / "figures.json").read_text())
    kept = json.loads((searched / "chosen" / "measurement.json").read_text())
    assert figures["runtime"] == kept["runtime"]
    assert figures["runtime"]["runs"] >= 3
    assert figures["architecture"] == json.loads((searched / "chosen" / "architecture.json").read_text())


def test_study_that_is_there_is_not_overwritten(
    searched: Path, command: Command, pictures: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(arguments(searched, *pictures, "--trials", "4")) == BAD_INPUT
    assert "--resume" in capsys.readouterr().err


def test_resumed_study_keeps_its_settings(
    searched: Path, command: Command, pictures: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    changed = ["--budget-ms", "50000", "--out", str(searched), *SHORT, *pictures, "--trials", "5", "--resume"]
    assert command(changed) == BAD_INPUT
    assert "its budget_ms was 60000" in capsys.readouterr().err


@pytest.fixture
def _ctrl_c_interrupts() -> Iterator[None]:
    """Take Ctrl-C as a foreground command does: one in the background may have inherited to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_interrupts")
@pytest.mark.skipif(os.name == "nt", reason="interrupts by a POSIX signal")
def test_interrupted_search_goes_on_where_it_was(
    command: Command, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, over = tmp_path / "out", threading.Event()
    flags = arguments(out, *pictures, "--trials", "4", "--fidelity", "train", "--trial-steps", "40")

    def interrupt() -> None:
        """Press Ctrl-C once there is something to go on with."""
        while not (out / "trials.csv").exists() and not over.wait(0.01):
            pass
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    user = threading.Thread(target=interrupt)
    user.start()
    try:
        assert command(flags) == INTERRUPTED
    finally:
        over.set()
        user.join()
    assert "--resume goes on" in capsys.readouterr().out
    before = pd.read_csv(out / "trials.csv")
    assert 1 <= len(before) < 4
    assert command([*flags, "--resume"]) == DONE
    after = pd.read_csv(out / "trials.csv")
    assert len(after) == 4
    assert after.iloc[: len(before)]["key"].tolist() == before["key"].tolist()
    assert after["key"].is_unique


def test_wrong_flag_is_named_before_the_device_is_measured(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Measuring would never end.
    forever = Protocol(seconds=math.inf, maximum_runs=10**9)

    def endless(*more: str, out: str = "out") -> int:
        return command(arguments(tmp_path / out, *more, "--trials", "1"), candidate=forever)

    assert endless("--trial-steps", "4") == BAD_INPUT
    assert "each rung must take more steps than the one before, got [0, 1, 4]" in capsys.readouterr().err
    (tmp_path / "file").write_text("in the way")
    assert endless(out="file/out") == BAD_INPUT
    assert "cannot write" in capsys.readouterr().err
    assert endless("--resume") == BAD_INPUT
    assert "to resume" in capsys.readouterr().err


def test_resumed_study_keeps_the_steps_of_its_candidates(command: Command, pictures: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    shape = ["--lr-size", "32x24", "--batch", "2", "--patch", "8", "--train-steps", "4", "--workers", "1",
             "--engine", "torch"]  # fmt: skip
    # Nothing meets this budget, so that nothing is trained and both runs are short.
    flags = ["--budget-ms", "0.001", "--out", str(out), *shape, *pictures]
    assert command([*flags, "--trials", "1", "--time-limit", "3m"]) == NOTHING_MEETS_BUDGET
    assert command([*flags, "--trials", "2", "--time-limit", "2h", "--resume"]) == NOTHING_MEETS_BUDGET
    assert len(pd.read_csv(out / "trials.csv")) == 2
    assert (out / "command.txt").read_text().endswith("--trials 2 --time-limit 2h --resume\n")


def test_training_that_diverges_starts_again_and_then_says_so(
    searched: Path, command: Command, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(searched, tmp_path / "out"))
    study = OptunaStudy(SPACES["msrresnet"], "search", str(out / "study.journal"), 60_000.0)
    kept = study.settings
    wild = kept["final_recipe"] | {"learning_rate": 1e38, "warmup_steps": 0, "clip_norm": 0.0, "steps": 60}
    study.remember(kept | {"phase": "training", "final_recipe": wild})
    assert command(arguments(out, *pictures, "--trials", "4", "--resume")) == BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out.count("again at a learning rate of") == 2
    assert "the training failed three times: the loss is" in captured.err
    # What the next run would go on with is what was tried last.
    again = OptunaStudy(SPACES["msrresnet"], "search", str(out / "study.journal"), 60_000.0)
    assert again.settings["final_recipe"]["learning_rate"] == pytest.approx(1e38 / 9)


def test_budget_that_nothing_meets_names_the_fastest(
    command: Command, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--budget-ms", "0.001", "--out", str(tmp_path), *SHORT, *pictures, "--trials", "2"]
    assert command(flags) == NOTHING_MEETS_BUDGET
    errors = capsys.readouterr().err
    assert "nothing meets the budget of 0.001 ms: the fastest of 2 candidates" in errors
    assert set(pd.read_csv(tmp_path / "trials.csv")["state"]) == {"infeasible"}


def test_dry_run_says_the_cost_and_writes_nothing(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    flags = ["--budget-ms", "60000", "--out", str(out), "--lr-size", "32x24", "--time-limit", "5m", "--dry-run"]
    assert command(flags) == DONE
    assert "5 m 00 s in all" in capsys.readouterr().out
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--budget-ms", "0"], "--budget-ms must be a number of milliseconds over zero, got 0"),
        (["--budget-ms", "-5"], "--budget-ms must be a number of milliseconds over zero, got -5"),
        (["--budget-ms", "abc"], "--budget-ms must be a number of milliseconds over zero, got 'abc'"),
        (["--budget-ms", "nan"], "--budget-ms must be"),
        ([], "required: --budget-ms"),
        (["--budget-ms", "40", "--lr-size", "12"], "an LR size is WIDTHxHEIGHT"),
        (["--budget-ms", "40", "--trials", "0"], "--trials must be at least 1, got 0"),
        (["--budget-ms", "40", "--time-limit", "soon"], "--time-limit is a duration over zero"),
        (["--budget-ms", "40", "--space", "nosuch"], "invalid choice"),
        (["--budget-ms", "40", "--device", "tpu"], "--device must be auto, cpu, cuda or cuda:N"),
        (["--budget-ms", "40", "--nosuch"], "unrecognized arguments"),
        (["--budget-ms", "40", "--resume"], "to resume"),
        (["--budget-ms", "40", "--data", "/nosuch/folder"], "/nosuch/folder"),
        (["--budget-ms", "40", "--teacher", "/nosuch/teacher.pth"], "/nosuch/teacher.pth"),
    ],
)
def test_bad_input_is_one_line_and_two(
    flags: list[str], words: str, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([*flags, "--out", str(tmp_path / "out")]) == BAD_INPUT
    errors = capsys.readouterr().err
    assert words in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out" / "trials.csv").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_missing_gpu_is_named(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(arguments(tmp_path, "--device", "cuda")) == BAD_INPUT
    assert "this machine has 0 CUDA devices" in capsys.readouterr().err


def test_folder_that_cannot_be_written_is_named_before_the_work(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert command(arguments(tmp_path / "file" / "out", "--trials", "1")) == BAD_INPUT
    assert "cannot write" in capsys.readouterr().err


def test_pictures_that_do_not_serve_are_named(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    assert command(arguments(tmp_path / "out", "--data", str(folder))) == BAD_INPUT
    (folder / "x.png").write_text("a text file")
    assert command(arguments(tmp_path / "out", "--data", str(folder))) == BAD_INPUT
    assert "x.png" in capsys.readouterr().err
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3), np.uint8)
    Image.fromarray(noise).save(folder / "good.jpg")
    Image.fromarray(noise).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:4000])
    Image.fromarray(noise[:24, :24]).save(folder / "tiny.png")
    assert command(arguments(tmp_path / "out", "--data", str(folder), "--dry-run", "--trials", "1")) == DONE
    captured = capsys.readouterr()
    for name in ("x.png", "cut.jpg", "tiny.png"):
        assert f"{name}" in captured.err
    assert "1 to train on" in captured.out


def test_training_and_validation_share_no_picture(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "same.png")
    assert command(arguments(tmp_path / "out", "--data", str(tmp_path), "--val", str(tmp_path))) == BAD_INPUT
    assert "must not share a picture" in capsys.readouterr().err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "python -m nas.search --budget-ms 40" in capsys.readouterr().out
