"""What is handed out for a candidate, and what comes of its rungs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from nas.evaluate import Setup
from nas.successive_halving import Rung
from nas.training.fidelity_schedule import fidelity_schedule
from nas.training.rung_submission import RungSubmitter, with_rung
from nas.training.task import TrainingResult
from nas.training.worker_state import WorkerState
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.supernet import Supernet
from sr.executors.in_process import InThisProcess
from sr.progress import Event, Phase

Outcome = Callable[[int, Architecture], Trial]
SMALL = repeated(8, "branched_conv", 1)


def test_a_score_is_handed_out_and_what_has_no_weights_fails_at_once(setup: Setup, tmp_path: Path) -> None:
    torch.manual_seed(2)
    scored = fidelity_schedule("supernet", setup, tmp_path, Supernet(MSRRESNET_SPACE, 12, 2).eval())
    said = list[Event]()
    submitter = RungSubmitter(scored, InThisProcess(WorkerState(setup)), said.append)
    result = submitter.first_rung(SMALL, []).result()
    assert result.quality is not None
    assert result.seconds > 0
    assert said == [Phase(f"scoring {SMALL.summary}")]
    outside = submitter.first_rung(repeated(16, "branched_conv", 1), []).result()
    assert outside.quality is None
    assert "num_feat is at most 12" in outside.reason


def test_later_rung_that_fails_leaves_what_is_known(setup: Setup, tmp_path: Path, outcome: Outcome) -> None:
    before = replace(outcome(0, repeated(8, "idle", 1)), rungs=(Rung(1, 25.0, 1.0),))
    schedule = fidelity_schedule("rungs", replace(setup, recipe=replace(setup.recipe, steps=16)), tmp_path)
    failed = with_rung(before, 1, TrainingResult(None, 2.0, "the loss is nan"), schedule)
    assert failed == replace(before, reason="the loss is nan", seconds=before.seconds + 2.0)
    first = with_rung(replace(before, rungs=()), 0, TrainingResult(None, 2.0, "the loss is nan"), schedule)
    assert (first.state, first.rungs) == ("failed", ())
    # It is not promoted a second time.
    others = [outcome(number, repeated(8, "idle", number + 1)) for number in range(1, 4)]
    trials = [failed, *(replace(other, rungs=(Rung(1, 20.0, 1.0),)) for other in others)]
    assert schedule.promoted(trials, set()) is None
    assert schedule.promoted([before, *trials[1:]], set()) == before.architecture.key
