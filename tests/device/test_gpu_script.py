"""The script for whoever has a GPU: what it would do, with an interpreter that does nothing."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"tests", "table-float32-eager", "prediction", "training", "search", "dense", "pruning"}


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """Return what stands for Python: it notes what it is called with, and fails at what a file says."""
    script = tmp_path / "python"
    script.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/called\ncase "$*" in *"$(cat {tmp_path}/fails)"*) exit 3;; esac\n'
    )
    script.chmod(0o755)
    (tmp_path / "fails").write_text("nothing")
    return script


def run(interpreter: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("bash") is None:
        pytest.skip("the script is for bash")
    return subprocess.run(
        ["bash", str(ROOT / "benchmarks/gpu.sh"), *flags, "--out", str(interpreter.parent / "out")],
        env=os.environ | {"PYTHON": str(interpreter)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def calls(interpreter: Path) -> list[str]:
    return (interpreter.parent / "called").read_text().splitlines()


def test_dry_run_goes_through_all_parts_on_the_cpu(interpreter: Path) -> None:
    ended = run(interpreter, "--dry-run")
    assert (ended.returncode, ended.stderr) == (0, "")
    done = {path.stem: json.loads(path.read_text()) for path in (interpreter.parent / "out").glob("*.done")}
    assert set(done) == PARTS
    assert {each["device"] for each in done.values()} == {"cpu"}
    assert not any("cuda" in call for call in calls(interpreter))


def test_on_a_gpu_every_table_is_measured(interpreter: Path) -> None:
    assert run(interpreter, "--device", "cuda:1", "tables").returncode == 0
    tables = [call for call in calls(interpreter) if "baselines.table" in call]
    assert len(tables) == 4
    assert all("--device cuda:1" in call for call in tables)


def test_part_that_failed_is_tried_again_and_the_others_are_not(interpreter: Path) -> None:
    fails = interpreter.parent / "fails"
    fails.write_text("nas.search")
    ended = run(interpreter, "--dry-run")
    assert ended.returncode == 1
    assert "search: failed with 3" in ended.stdout
    fails.write_text("nothing")
    before = len(calls(interpreter))
    assert run(interpreter, "--dry-run").returncode == 0
    # dense.pth was not written by what stands for Python, but its step is done.
    assert [call for call in calls(interpreter)[before:] if "nas.search" not in call] == []


def test_unknown_part_is_one_line_and_two(interpreter: Path) -> None:
    ended = run(interpreter, "--dry-run", "everything")
    assert ended.returncode == 2
    assert ended.stderr == "error: unknown argument everything; see --help\n"
