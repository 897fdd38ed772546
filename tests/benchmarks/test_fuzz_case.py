"""What the fuzz takes for wrong, and what not."""

import runpy
from pathlib import Path
from typing import Any

import pytest

_BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
_BEFORE = {"in/a.png": "digest"}


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    """Return what the module defines."""
    return runpy.run_path(str(_BENCHMARKS / "fuzz_case.py"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, ""),
        (0, "left out: 1 hidden\n"),
        (1, "error: a.png: broken\n"),
        (2, "left out 1\nerror: no such file\n"),
        (3, ""),
    ],
)
def test_what_commands_document_is_no_problem(code: int, said: str, read: dict[str, Any]) -> None:
    assert read["problem_of"](code, said, _BEFORE, _BEFORE, frozenset()) == ""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"code": 4}, "exit code 4"),
        (
            {"said": "Traceback (most recent call last):\n  File x\nKeyError: 'recipe'\n"},
            "a traceback is said: KeyError",
        ),
        ({"after": {}}, "changes in/a.png of the user's"),
        ({"after": {"in/a.png": "another"}}, "changes in/a.png of the user's"),
        ({"after": {**_BEFORE, "in/b.png": "digest"}}, "writes in/b.png outside out"),
        ({"elsewhere": frozenset(("/etc/passwd",))}, "writes /etc/passwd"),
        ({"code": 2}, "exit code 2 without its one line"),
        ({"code": 2, "said": "error: a\nb\n"}, "exit code 2 without its one line"),
        ({"code": 2, "said": "error: a\x1bb\n"}, "its line holds what no line can"),
        ({"code": 1}, "exit code 1 without a word"),
    ],
)
def test_everything_else_is_named(changes: dict[str, Any], problem: str, read: dict[str, Any]) -> None:
    found = {"code": 0, "said": "", "before": _BEFORE, "after": _BEFORE, "elsewhere": frozenset()} | changes
    assert read["problem_of"](**found).startswith(problem)


def test_what_differs_between_two_cases_of_one_cause_is_left_out(read: dict[str, Any]) -> None:
    def told(name: str) -> str:
        problem: str = read["problem_of"](0, "", {}, {name: "digest"}, frozenset())
        return problem

    assert told("tmp/network-12.bin") == told("tmp/network-7.bin")


def test_a_case_is_written_and_kept_whatever_its_names_are_of(read: dict[str, Any], tmp_path: Path) -> None:
    case = read["Case"]("pictures", "nas.report.__main__", ("in/\udcff.png",), {"in/\udcff.png": b"content"})
    case.write(tmp_path / "case")
    case.keep(tmp_path / "kept", "said \udcff")
    for folder in ("case", "kept"):
        assert (tmp_path / folder / "in" / "\udcff.png").read_bytes() == b"content"
    said = (tmp_path / "kept" / "problem.txt").read_text()
    assert said == "python -m nas.report 'in/\\udcff.png'\n\nsaid \\udcff\n"
