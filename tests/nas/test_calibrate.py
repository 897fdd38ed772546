"""The command of a calibration: its flags, what it prints, and how it fails."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nas.calibrate import main, parse
from nas.config.calibration import CalibrateConfig
from search_spaces import SPACES
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.command import BAD_INPUT, DONE, run
from sr.errors import InputError

TINY = ["--budget-ms", "1000", "--engine", "torch", "--networks", "8", "--steps", "16", "--rungs", "2",
        "--lr-size", "16x16", "--batch", "2", "--patch", "6", "--device", "cpu", "--workers", "1"]  # fmt: skip


def test_defaults_are_those_of_the_config() -> None:
    assert parse(["--budget-ms", "40"]) == (CalibrateConfig(budget_ms=40.0), None)


def test_every_flag_reaches_the_config() -> None:
    config, figures = parse([*TINY, "--seed", "3", "--out", "some", "--json", "figures.json"])
    assert config == CalibrateConfig(
        budget_ms=1000.0, networks=8, steps=16, rungs=2, lr_size=(16, 16), batch=2, patch=6, device="cpu", workers=1,
        seed=3, out="some", engine="torch",
    )  # fmt: skip
    assert figures == Path("figures.json")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--networks", "7"], "--networks must be at least 8, got 7"),
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--rungs", "0"], "--rungs must be at least 1, got 0"),
        (["--workers", "0"], "--workers must be at least 1, got 0"),
        (["--workers", "all"], "--workers"),
        (["--budget-ms", "soon"], "--budget-ms must be a number of milliseconds over zero, got 'soon'"),
    ],
)
def test_flag_that_breaks_a_constraint_is_refused(flags: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(["--budget-ms", "40", *flags])


def test_bad_input_is_one_line_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, [*TINY, "--rungs", "4", "--out", str(tmp_path / "out")]) == BAD_INPUT
    errors = capsys.readouterr().err
    assert "each rung must take more steps than the one before" in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("hasty")
def test_command_says_what_each_score_is_worth_and_writes_the_figures(
    small_pictures: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sr.measure.timing.LONGEST_MS", 0.0)
    # Two widths and few blocks: others take long to train and show nothing else.
    space = replace(
        MSRRESNET_SPACE, num_feat=(8, 12), positions=2, upsampler=("one_step",), aggregation=("none",),
        seeds=(repeated(8, "branched_conv", 1),),
    )  # fmt: skip
    monkeypatch.setitem(SPACES, "msrresnet", space)
    pictures = ["--data", str(small_pictures["train"]), "--val", str(small_pictures["val"])]
    arguments = [*TINY, *pictures, "--out", str(tmp_path / "out"), "--json", str(tmp_path / "figures.json")]
    assert run(main, arguments) == DONE
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures == json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert figures["command"].startswith("python -m nas.calibrate --budget-ms 1000 --engine torch --networks 8")
    printed = capsys.readouterr().out
    assert "network 8 of 8: " in printed
    for each in figures["rankings"]:
        assert f"\n{each['name']}: " in printed
        poor = each["cost_share"] and (each["tau"] is None or each["tau"] < 0.5)
        assert bool(poor) == (f"\nwarning: {each['name']} ranks poorly here (" in printed)
    assert printed.endswith(f"Look at {tmp_path / 'out' / 'calibration.html'}.\n")


def test_command_needs_no_torch_before_it_works() -> None:
    heavy = ("torch", "numpy", "pandas", "plotly", "optuna", "scipy", "skimage", "onnxruntime")
    code = f"import sys, nas.calibrate; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
