"""A pruning's run.toml gives the pruning that it was written for."""

from pathlib import Path

import pytest

from prune.flags import parse
from prune.run_file import write_pruning

TYPED = [
    [],
    ["--target", "params,multi_adds", "--ratio", "0.5,0.25", "--time-limit", "none", "--subpixels",
     "--fine-tune-steps", "0"],
    ["--budget-ms", "40", "--methods", "group,per-layer", "--channel-order", "shared,blended", "--lr-size", "480x270"],
    ["--psnr-floor=-1.5", "--data", "a", "--val", "b", "--out", "runs/c", "--rounds", "3",
     "--learning-rate", "1e-05"],
]  # fmt: skip


@pytest.mark.parametrize("typed", TYPED)
def test_file_gives_back_what_it_was_written_for(typed: list[str], tmp_path: Path) -> None:
    asked = parse(["net.pth", *typed])
    write_pruning(tmp_path / "run.toml", asked.checkpoint, asked.config)
    assert parse(["--config", str(tmp_path / "run.toml")]) == asked


def test_another_limit_stands_in_place_of_the_one_in_the_file(tmp_path: Path) -> None:
    asked = parse(["net.pth", "--ratio", "0.45"])
    write_pruning(tmp_path / "run.toml", asked.checkpoint, asked.config)
    again = parse(["other.pth", "--config", str(tmp_path / "run.toml"), "--budget-ms", "40", "--resume"])
    assert again.checkpoint == Path("other.pth")
    assert (again.config.ratio, again.config.budget, again.config.resume) == (None, (40.0,), True)
