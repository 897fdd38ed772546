"""A search whose outcomes follow from its architectures."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nas.optuna_backend.times import TrialTimes
from nas.report.ending import Ending
from nas.report.run import Run
from nas.successive_halving import Rung
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET, repeated
from sr.measure.quality import Quality

Outcome = Callable[..., Trial]


@pytest.fixture
def run(outcome: Outcome, tmp_path: Path) -> Run:
    """Return a finished search: ten trained candidates, one of them a repeat, and one over the budget."""
    trials = []
    for number in range(10):
        trial = outcome(number, repeated(8, "idle" if number % 2 else "residual_leaky", 1 + number // 2))
        trials.append(replace(trial, rungs=(Rung(390, trial.psnr, 1.0),) if trial.state == "trained" else ()))
    trials.append(outcome(987_654_321, MSRRESNET))
    trials.append(replace(trials[0], number=987_654_320, duplicate_of=0))
    best = max((each for each in trials if each.state == "trained"), key=lambda each: each.psnr)
    assert best.measurement is not None
    ours = replace(best.measurement, quality=Quality(26.5, 28.0, None, 3))
    rivals = {"rfdn num_feat=16": replace(best.measurement, quality=None), "ecbsr <b>": best.measurement}
    ending = Ending(
        best.number, best.architecture, ours, Quality(24.0, 25.0, None, 3), {"torch": ours.runtime}, rivals,
        {"rfdn num_feat=16": Quality(25.75, 27.0, None, 3)}, ended=datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    settings = {
        "space": "msrresnet", "budget_ms": 100.0, "conditions": asdict(ours.conditions), "recipe": {"seed": 7},
        "pictures": {"train": {"count": 400, "fingerprint": "a"}, "val": {"count": 2, "fingerprint": "b"}},
        "fidelity": "rungs", "sampler": "mixed", "phase": "done", "chosen": best.number,
    }  # fmt: skip
    times = {each.number: timedelta(minutes=1 + index) for index, each in enumerate(trials)}
    began = datetime(2026, 1, 1, 23, tzinfo=UTC)
    return Run(tmp_path, settings, tuple(trials), ending, "python -m nas.search <x>", TrialTimes(began, times))
