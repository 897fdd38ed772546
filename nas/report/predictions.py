"""How far to trust what a search predicted, in words for people."""

from nas.known_device import KnownDevice
from nas.predictors.latency import PredictionError, Sample
from nas.predictors.psnr_regression import Error, Example, fit
from nas.report.run import Run
from nas.trial import Trial
from sr.rank_correlation import share_in_order

# Networks that take so many times the budget are of no interest to a prediction.
_FAR_OVER = 3
_FEWEST = 6


def prediction_lines(run: Run) -> list[str]:
    """Return sentences on the predicted runtimes and PSNRs, each judged on networks that a prediction had not seen."""
    return [_of_runtime(_runtime_error(run)), *_of_psnr(run)]


def _runtime_error(run: Run) -> PredictionError | None:
    """Return how wrong runtimes would be predicted by all other networks of the search; None where that is unknown."""
    if "known" not in run.settings:
        return None
    near = [each for each in run.measured if each.state != "put off" and each.runtime_ms <= _FAR_OVER * run.budget_ms]
    predictor = KnownDevice.from_json(run.settings["known"]).predictor(run.conditions.lr_size)
    return predictor.learned([Sample(each.architecture, each.runtime_ms) for each in near]).unseen


def _of_runtime(error: PredictionError | None) -> str:
    """Say how far predicted runtimes were right."""
    if error is None:
        return "Runtime: too few networks were measured to say how well it could be predicted."
    return (
        f"Runtime: predicted before it was measured, it was right within {100 * error.median:.0f} % for half of "
        f"the networks and within {100 * error.p90:.0f} % for nine of ten ({error.networks} networks, each predicted "
        "without having seen it). Predictions only decide what is worth measuring: every runtime on "
        "this page is measured."
    )


def _of_psnr(run: Run) -> list[str]:
    """Say how far the PSNR after the first short training could be predicted, and what that PSNR itself is worth."""
    early = [_example(each, 0) for each in run.trained if each.rungs]
    if len(early) < _FEWEST:
        return ["PSNR: too few networks were trained to say how well it could be predicted."]
    first = fit(early).error
    lines = [
        f"PSNR after the first {early_steps(run):,} training steps: predicted from a network's size and blocks alone, "
        f"it was off by {first.mae:.2f} dB on average{_pairs(first)}."
    ]
    last = max(len(each.rungs) for each in run.trained)
    late = [_example(each, last - 1) for each in run.trained if len(each.rungs) == last]
    if last > 1 and len(late) >= _FEWEST:
        steps = next(each.rungs[-1].steps for each in run.trained if len(each.rungs) == last)
        error = fit(late, ("first",)).error
        lines.append(
            f"PSNR after {steps:,} steps: predicted with the help of the first one, it was off by {error.mae:.2f} dB "
            f"on average{_pairs(error)}, so that few candidates need the longer training."
        )
    return lines


def early_steps(run: Run) -> int:
    """Return how many steps the first short training had; 0 where candidates were judged without one."""
    return next((each.rungs[0].steps for each in run.trained if each.rungs), 0)


def _pairs(error: Error) -> str:
    """Say of how many pairs the better one was named: what Kendall's tau counts, less ties."""
    if error.tau is None:
        return ""
    share = 100 * share_in_order(error.tau)
    return f", and of two networks it named the better one in {share:.0f} % of cases (guessing: 50 %)"


def _example(trial: Trial, rung: int) -> Example:
    """Return a candidate that finished a short training as the regression learns from it."""
    assert trial.measurement is not None
    cheap = {"first": trial.psnr}
    return Example(trial.architecture, trial.measurement.complexity, cheap, trial.rungs[rung].psnr)
