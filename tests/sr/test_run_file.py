"""Flags in a file: read as the command line reads them, and given way to it."""

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sr.command import Parser, parse_duration
from sr.errors import InputError
from sr.run_file import as_text, read_run, seconds_text, write_run


def parser() -> Parser:
    made = Parser(prog="python -m sr.some", description="Does it.", example="python -m sr.some net.pth")
    made.add_argument("network", type=Path)
    made.add_argument("--steps", type=int, required=True)
    made.add_argument("--ratio")
    made.add_argument("--budget")
    made.add_argument("--budget-ms", type=float)
    made.add_argument("--no-seeds", dest="seeds", action="store_false")
    made.add_shared("data", "val", "out")
    made.add_config(("--ratio", "--budget", "--budget-ms"))
    return made


def parsed(text: str, tmp_path: Path, *typed: str) -> dict[str, object]:
    file = tmp_path / "run.toml"
    file.write_text(text, encoding="utf-8")
    values = vars(parser().parse_args(["--config", str(file), *typed]))
    assert values.pop("config") == file
    return values


def test_a_file_stands_for_the_flags_that_it_names(tmp_path: Path) -> None:
    text = 'network = "net.pth"\nsteps = 5\nratio = [0.5, 0.25]\nno-seeds = true\ndata = ["a", "b"]\nout = "-odd"\n'
    typed = ["net.pth", "--steps", "5", "--ratio", "0.5,0.25", "--no-seeds", "--data", "a,b", "--out=-odd"]
    expected = vars(parser().parse_args(typed))
    assert expected.pop("config") is None
    assert parsed(text, tmp_path) == expected


def test_flags_that_are_given_stand_in_place_of_the_files(tmp_path: Path) -> None:
    text = 'network = "net.pth"\nsteps = 5\ndata = "a"\nno-seeds = false\n'
    values = parsed(text, tmp_path, "--steps", "7", "--dat=b", "other.pth")
    assert (values["network"], values["steps"], values["data"], values["seeds"]) == (
        Path("other.pth"), 7, Path("b"), True,
    )  # fmt: skip


def test_a_flag_stands_in_place_of_those_that_it_excludes(tmp_path: Path) -> None:
    values = parsed('network = "n"\nsteps = 5\nratio = 0.5\n', tmp_path, "--budget-ms", "40")
    assert (values["ratio"], values["budget_ms"]) == (None, 40.0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("step = 5", "python -m sr.some has no 'step'; see python -m sr.some --help"),
        ('config = "b.toml"', "has no 'config'"),
        ("help = true", "has no 'help'"),
        ("no-seeds = 1", "no-seeds is true or false, got 1"),
        ("steps = true", "steps takes a number, text or a list of them, got True"),
        ("[steps]\nmore = 1", "steps takes a number, text or a list of them, got {'more': 1}"),
        ("ratio = []", "ratio takes a number, text or a list of them"),
        ('steps = "five"', "argument --steps: invalid int value: 'five'"),
        ("steps =", "is no TOML"),
    ],
)
def test_what_no_flag_takes_is_named(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text, tmp_path)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file at .*none\.toml"):
        parser().parse_args(["--config", str(tmp_path / "none.toml"), "net.pth", "--steps", "1"])


def test_a_command_without_such_files_keeps_its_own_config() -> None:
    made = Parser(prog="python -m sr.some", description="Does it.", example="")
    made.add_argument("--config", action="append")
    assert made.parse_args(["--config", "num_block=4"]).config == ["num_block=4"]


VALUES = some.one_of(
    some.just(True),
    some.integers(-(10**12), 10**12),
    some.floats(allow_nan=False, allow_infinity=False),
    some.text(some.characters(exclude_categories=["Cs"])),
    some.lists(some.text(some.characters(exclude_categories=["Cs"])), min_size=1, max_size=3),
)


@given(VALUES)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.mktemp("run") / "run.toml"
    write_run(path, "python -m sr.some", {"a-flag": value, "left": None, "out": False, "empty": ()})  # type: ignore[dict-item]
    assert read_run(path) == {"a-flag": value}
    assert path.read_text(encoding="utf-8").startswith("# python -m sr.some --config run.toml\n")


def test_paths_are_text(tmp_path: Path) -> None:
    write_run(tmp_path / "run.toml", "c", {"out": Path("runs/a"), "many": (0.5, 2)})
    assert tomllib.loads((tmp_path / "run.toml").read_text()) == {"out": "runs/a", "many": [0.5, 2]}


@given(some.floats(1e-3, 1e8))
def test_seconds_are_read_as_written(seconds: float) -> None:
    assert math.isclose(parse_duration(seconds_text(seconds)), seconds, rel_tol=1e-3)


@pytest.mark.parametrize(
    ("value", "text"), [(5, "5"), (0.25, "0.25"), (["a", 1], "a,1"), ([True], None), ([], None), ({}, None)]
)
def test_values_are_typed_as_flags_are(value: object, text: str | None) -> None:
    assert as_text(value) == text
