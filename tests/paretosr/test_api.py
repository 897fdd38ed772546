"""What a line of Python reaches, and the examples that say so."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import paretosr
from nas.config.measurement_plan import MeasurementPlan
from sr.measure.latency import Protocol

ROOT = Path(__file__).resolve().parents[2]
FEW = Protocol(seconds=0.0, minimum_runs=3, early_stop_runs=3, idle_seconds=0.0)
# An example is run as it stands, but for what makes it tiny.
PLAN = MeasurementPlan(FEW, FEW, FEW, planning_steps=2, fewest_first_steps=1)
TINY = (
    "budget_ms=60_000, trials=2, trial_steps=4, train_steps=4, batch=2, patch=8, lr_size=(16, 24), "
    'fidelity="train", engine="torch"'
)


def test_everything_public_is_there_and_documented() -> None:
    assert sorted(paretosr.__all__) == paretosr.__all__
    for name in paretosr.__all__:
        assert getattr(paretosr, name).__doc__
    assert set(paretosr.__all__) <= set(dir(paretosr))


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="'paretosr' has no attribute 'serach'"):
        paretosr.serach  # noqa: B018 - it is the access that raises


def test_importing_it_imports_no_torch() -> None:
    configs = "paretosr.SearchConfig(budget_ms=40); paretosr.PruneConfig()"
    program = f"import sys, paretosr; {configs}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_examples_of_the_docstring_hold() -> None:
    done = doctest.testmod(paretosr)
    assert done.failed == 0
    assert done.attempted >= 5


@pytest.mark.usefixtures("hasty")
def test_the_example_of_the_readme_runs(
    small_pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert "budget_ms=40" in example
    pictures = ", ".join(f"{name}={str(small_pictures[part])!r}" for name, part in (("data", "train"), ("val", "val")))
    tiny = example.replace("budget_ms=40", f"{TINY}, {pictures}").replace("report=", "plan=PLAN, report=")
    # Where networks are measured as they are, only fewer times and for a small picture.
    tiny = re.sub(r"paretosr\.measure\((.*?)\)\.runtime", r"paretosr.measure(\1, TARGET, FEW).runtime", tiny)
    monkeypatch.chdir(tmp_path)
    # Hundreds of sizes of all families say no more.
    monkeypatch.setattr("nas.ending.scalable_families", lambda _scale: ("ecbsr",))
    found = {"PLAN": PLAN, "FEW": FEW, "TARGET": paretosr.Target.of("cpu", (16, 24))}
    exec(compile(tiny, "README.md", "exec"), found)
    result = found["result"]
    assert isinstance(result, paretosr.SearchResult)
    assert isinstance(result.front, pd.DataFrame)
    assert len(result.trials) == 2
    assert (result.folder / "pareto.html").is_file()
    assert found["network"](torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("path", [None, 5, b"x", ["x"]])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(paretosr.InputError, match="a path is text or a path, got"):
        paretosr.load_network(path)  # type: ignore[arg-type]
    with pytest.raises(paretosr.InputError, match="a path is text or a path, got"):
        paretosr.prune(path, paretosr.PruneConfig())  # type: ignore[arg-type]


def test_a_path_may_be_text(tmp_path: Path) -> None:
    with pytest.raises(paretosr.InputError, match="no checkpoint at"):
        paretosr.load_network(str(tmp_path / "x.pth"))
