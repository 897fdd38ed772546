"""What benchmarks write down holds no folder of the machine."""

import runpy
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    return runpy.run_path(str(_ROOT / "benchmarks" / "machine_paths.py"))


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["net.pth", "--data", "/data/a b/photos"], "net.pth --data photos"),
        (["--data=/data/DIV2K,/data/Flickr2K,Set5"], "--data=DIV2K,Flickr2K,Set5"),
        (["--out", "runs/a", "--seed", "3"], "--out runs/a --seed 3"),
        (["--data", "/data/a b"], "--data 'a b'"),
    ],
)
def test_command_names_absolute_paths_by_their_last_name(parts: dict[str, Any], argv: list[str], shown: str) -> None:
    assert parts["shown_command"]("speed.py", argv) == f"python benchmarks/speed.py {shown}"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f'File "{_ROOT}/nas/loop.py", line 3, in run', 'File "nas/loop.py", line 3, in run'),
        ('File "/usr/lib/python3/site-packages/optuna/study.py", line 3', 'File "optuna/study.py", line 3'),
        ("error: /tmp/run-x/disk/study.journal: no space", "error: study.journal: no space"),
        ("postgresql+psycopg://it@127.0.0.1:5432/postgres is away", None),
        ("3 of 4 / 2 and/or none, 1/2", None),
    ],
)
def test_what_was_said_keeps_all_but_folders(parts: dict[str, Any], said: str, shown: str | None) -> None:
    assert parts["without_folders"](said) == (said if shown is None else shown)
