"""The command that lists and runs all others."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paretosr.__main__ import COMMANDS, main, usage
from sr.command import BAD_INPUT, DONE, run

ROOT = Path(__file__).resolve().parents[2]
# What a help must not import: each takes a tenth of a second or more.
HEAVY = ("torch", "numpy", "pandas", "plotly", "optuna", "onnxruntime", "skimage", "scipy")


def test_without_a_command_all_are_listed_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, []) == DONE
    listed = capsys.readouterr().out
    assert listed == usage() + "\n"
    for name, (_, what) in COMMANDS.items():
        assert f"  {name} " in listed
        assert what in listed


def test_a_command_that_is_none_is_named_with_all_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["serach"]) == BAD_INPUT
    error = capsys.readouterr().err
    assert "'serach'" in error
    assert "search" in error


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["--version"]) == DONE
    assert capsys.readouterr().out.startswith("paretosr 0.")


def test_a_command_gets_what_follows_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["search", "--budget-ms", "none"]) == BAD_INPUT
    assert "--budget-ms must be a number of milliseconds over zero, got 'none'" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_main(name: str) -> None:
    assert callable(importlib.import_module(COMMANDS[name][0]).main)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_and_imports_nothing_heavy(name: str) -> None:
    program = (
        "import sys\n"
        "from paretosr.__main__ import main\n"
        f"try:\n    main([{name!r}, '--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        f"print([each for each in {HEAVY!r} if each in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "example:\n  python -m" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("line", "start", "offered", "left_out"),
    [
        ("paretosr se", 1, {"search"}, {"prune"}),
        ("paretosr ", 1, {"search", "prune", "upscale", "--version"}, set()),
        ("paretosr search --bud", 1, {"--budget-ms"}, {"--seed"}),
        ("paretosr search --engine o", 1, {"onnxruntime", "openvino"}, {"torch"}),
        ("python -m nas.search --sampler ", 3, {"mixed", "tpe", "random"}, set()),
        ("paretosr train --dev", 1, {"--device"}, {"--data"}),
    ],
)
def test_shell_completes_commands_flags_and_their_values(
    line: str, start: int, offered: set[str], left_out: set[str], tmp_path: Path
) -> None:
    """As the function does that register-python-argcomplete makes for a shell."""
    module = "nas.search" if line.startswith("python") else "paretosr"
    asked = {
        "_ARGCOMPLETE": str(start), "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "offered"),
    }  # fmt: skip
    subprocess.run([sys.executable, "-m", module], check=True, capture_output=True, env={**os.environ, **asked})
    answer = {each.strip() for each in (tmp_path / "offered").read_text().splitlines()}
    assert offered <= answer
    assert not left_out & answer
