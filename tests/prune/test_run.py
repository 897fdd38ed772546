"""The command: one line and exit code 2 for whatever is wrong; what it prunes, `prune.pipeline` is tested for."""

from pathlib import Path

import pytest

from prune.run import main
from sr.command import BAD_INPUT, run


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that a command ends in."""
    assert run(main, argv) == BAD_INPUT
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--ratio", "0"], "over 0 and under 1; got 0.0"),
        (["--ratio", "abc"], "--ratio must be numbers between commas, got 'abc'"),
        (["--methods", "per-layer,rough"], "of per-layer, group, magnitude; got per-layer, rough"),
        (["--channel-order", "loose"], "of independent, blended, shared; got loose"),
        (["--target", "speed"], "of params, multi_adds, activations, runtime; got speed"),
        (["--device", "tpu"], "--device must be auto, cpu, cuda or cuda:N"),
        (["--time-limit", "0"], "--time-limit is a duration over zero such as 90s, 10m or 1.5h, got '0'"),
        (["--resume"], "there is no pruning in"),
        (["--nosuch"], "unrecognized arguments"),
    ],
)
def test_bad_flags_are_one_line_and_two(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hcsrn.pth").write_bytes(b"a network")
    assert words in refused([str(tmp_path / "hcsrn.pth"), "--out", str(tmp_path / "out"), *flags], capsys)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_is_not_there_is_one_line_and_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused([str(tmp_path / "absent.pth"), "--out", str(tmp_path / "out")], capsys)
    assert f"python -m baselines.train hcsrn --out {tmp_path / 'absent.pth'} makes one" in line


def test_a_dry_run_of_nothing_is_one_line_and_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no checkpoint at" in refused([str(tmp_path / "absent.pth"), "--dry-run"], capsys)


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "python -m prune.run hcsrn.pth --target runtime" in capsys.readouterr().out
