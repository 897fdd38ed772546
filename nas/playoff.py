"""The end of a search: finalists trained on side by side, the best of what was there before among them."""

import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.learning_curve import expected_psnr, gain_of
from nas.successive_halving import Ladder, Rung
from nas.training.executor import outcome
from nas.training.fidelity_schedule import FidelitySchedule
from nas.training.rung_training import weights_path
from nas.training.task import RungGoal, TrainingTask
from nas.training.worker_state import WorkerState
from nas.trial import Trial
from search_spaces.architecture import Architecture
from sr.executors.executor import Executor
from sr.progress import Message, Report, no_report

# Of the time that is left for the long training.
SHARE = 0.1
# Catching up with the finalists may take the control so many times as long as was planned; else it does not take part.
_CATCHING_UP = 2.0
# Fewer steps more tell nothing.
_FEWEST_STEPS = 40
# What stands for each trial by its number.
_BY_NUMBER = ("psnr", "psnr_y", "expected")


@dataclass(frozen=True)
class Playoff:
    """What finalists reached after equal steps.

    Attributes:
        steps: Trained in all.
        psnr: dB on RGB by the numbers of the trials, on the crops that candidates are judged on.
        psnr_y: The same on Y.
        expected: dB on RGB that each is expected to reach by the long training, which gives slow learners fewer steps.
        control: The trial of the best architecture that was there before the search; None where none took part.
    """

    steps: int
    psnr: Mapping[int, float]
    psnr_y: Mapping[int, float]
    expected: Mapping[int, float]
    control: int | None

    @property
    def winner(self) -> int:
        """The number of the trial that promises most."""
        return max(self.expected, key=lambda number: (self.expected[number], -number))

    @property
    def expected_gain(self) -> float:
        """By how much the winner is expected to be above the control in the end, dB on RGB; 0 without a control."""
        return 0.0 if self.control is None else self.expected[self.winner] - self.expected[self.control]

    @property
    def gain(self) -> tuple[float, float] | None:
        """By how much the winner is above the control, dB on RGB and on Y; None without a control."""
        if self.control is None:
            return None
        rgb, luma = (scores[self.winner] - scores[self.control] for scores in (self.psnr, self.psnr_y))
        return rgb, luma

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal one."""
        return {
            "steps": self.steps, "control": self.control,
            **{name: {str(number): value for number, value in getattr(self, name).items()} for name in _BY_NUMBER},
        }  # fmt: skip

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Playoff":
        """Make what `to_json` described."""
        # A record of an earlier version expected of each what it had.
        by_name = {"expected": values["psnr"], **values}
        psnr, psnr_y, expected = ({int(key): value for key, value in by_name[name].items()} for name in _BY_NUMBER)
        return cls(values["steps"], psnr, psnr_y, expected, values["control"])


def best_control(trials: Collection[Trial], keys: Collection[str]) -> Trial | None:
    """Return the best trained candidate among architectures that were there before the search, by their keys."""
    known = [each for each in trials if each.state == "trained" and each.architecture.key in keys]
    return max((each for each in known if each.duplicate_of is None), key=lambda each: each.sort_key, default=None)


def play_off(
    finalists: Sequence[Trial],
    control: Trial | None,
    fidelity: FidelitySchedule,
    executor: Executor[WorkerState],
    seconds: float,
    long: Callable[[Sequence[Rung]], float],
    *,
    report: Report = no_report,
) -> Playoff | None:
    """Train finalists on from the rungs that they are on, to equal steps, and judge what they will come to.

    Args:
        finalists: Trained candidates, the best first.
        control: The best of what was there before, one of the finalists or beside them; None where there is none.
        fidelity: How they were trained so far.
        executor: Where they train.
        seconds: That it may take in all.
        long: Returns the steps of the long training of the network that has these rungs.
        report: Is told what came out.

    Returns:
        What each reached; None where there is only one, or too little time to tell anything.
    """
    entrants = {each.number: each for each in (*finalists, *([control] if control is not None else []))}
    if len(entrants) == 1:
        return None
    steps = _steps(list(entrants.values()), fidelity, seconds)
    if steps is None and control is not None and control not in finalists:
        # It has too far to catch up.
        entrants.pop(control.number)
        steps = _steps(list(entrants.values()), fidelity, seconds)
    if steps is None or len(entrants) < 2:
        return None
    ladder = Ladder((*fidelity.trained.steps, steps), fidelity.trained.eta)
    goal = RungGoal(ladder.top, ladder, _own_weights(list(entrants.values()), fidelity.folder, steps))

    def task(architecture: Architecture) -> TrainingTask:
        return TrainingTask(architecture, fidelity.setup.recipe, goal, fidelity.initial(architecture), fidelity.teacher)

    futures = {number: executor.submit(WorkerState.train, task(each.architecture)) for number, each in entrants.items()}
    results = {number: outcome(future) for number, future in futures.items()}
    reached = {number: result.quality for number, result in results.items() if result.quality is not None}
    if len(reached) < 2:
        return None
    taken_part = control.number if control is not None and control.number in reached else None
    curves = {
        number: (*entrants[number].rungs, Rung(steps, each.psnr, results[number].seconds))
        for number, each in reached.items()
    }
    usual_gain = statistics.mean(gain_of(curve) for curve in curves.values())
    found = Playoff(
        steps, {number: each.psnr for number, each in reached.items()},
        {number: each.psnr_y for number, each in reached.items()},
        {
            number: expected_psnr(curve, long(entrants[number].rungs), usual_gain) for number, curve in curves.items()
        },
        taken_part,
    )  # fmt: skip
    for number, psnr in found.psnr.items():
        role = " (there before the search)" if number == taken_part else ""
        report(
            Message(
                f"finalist trial {number}{role}: {psnr:.2f} dB, Y {found.psnr_y[number]:.2f}, after {steps:,} steps, "
                f"{found.expected[number]:.2f} dB expected by the long training"
            )
        )
    return found


def _own_weights(entrants: Sequence[Trial], folder: Path, steps: int) -> Path:
    """Copy what entrants were trained to, and return the folder of the copies: one for each number of steps.

    After a kill there is another time left, and so another number.
    """
    own = folder / f"playoff-{steps}"
    own.mkdir(parents=True, exist_ok=True)
    for each in entrants:
        left, copied = (weights_path(place, each.architecture.key) for place in (folder, own))
        if left.exists() and not copied.exists():
            copied.write_bytes(left.read_bytes())
    return own


def _steps(entrants: Sequence[Trial], fidelity: FidelitySchedule, seconds: float) -> int | None:
    """Return to how many steps in all entrants can train in so many seconds together; None where it tells nothing."""
    done = {each.number: _steps_done(each) for each in entrants}
    pace = {each.number: _seconds_per_step(each) for each in entrants}
    if not all(pace.values()):
        return None
    missing = seconds + sum(done[number] * pace[number] for number in done)
    steps = int(missing / sum(pace.values()))
    furthest = max(*done.values(), fidelity.trained.steps[-1])
    if steps < furthest + _FEWEST_STEPS:
        steps = furthest + _FEWEST_STEPS
        needed = sum((steps - done[number]) * pace[number] for number in done)
        if needed > _CATCHING_UP * seconds:
            return None
    return steps


def _steps_done(trial: Trial) -> int:
    """Return the steps that a candidate was trained; a supernet's score counts none."""
    return trial.rungs[-1].steps if trial.rungs else 0


def _seconds_per_step(trial: Trial) -> float:
    """Return what a step of a candidate's training took; 0 where none was taken."""
    steps = _steps_done(trial)
    return sum(rung.seconds for rung in trial.rungs) / steps if steps else 0.0
