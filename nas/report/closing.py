"""The closing lines of a search: what was chosen, what it takes, what was gained, what was tried."""

import math
from collections import Counter
from collections.abc import Sequence

from nas.finalize import Chosen
from nas.training.fidelity_schedule import FidelitySchedule
from nas.trial import Trial, front_of
from nas.verdict import describe_kept
from sr.lr_size import size_text
from sr.progress import duration
from sr.shipping import describe as describe_engines


def closing_lines(
    trials: Sequence[Trial], chosen: Chosen, fidelity: FidelitySchedule, predictions: Sequence[str]
) -> list[str]:
    """Say what was chosen, its runtime against the budget and its PSNR against bicubic's, and what was tried."""
    setup = fidelity.setup
    budget_ms = setup.budget_ms
    runtime, quality = chosen.measurement.runtime, chosen.measurement.quality
    assert quality is not None
    complexity, place = chosen.measurement.complexity, chosen.measurement.conditions
    verdict = describe_kept(chosen.measurement, chosen.calm_p90_ms, budget_ms)
    never_calm = " The device was never calm while this was measured: its runtime may be lower."
    steady = "" if chosen.calm_p90_ms is None else never_calm
    gain = quality.psnr - chosen.bicubic.psnr
    return [
        f"Chosen: trial {chosen.trial.number}, {chosen.trial.architecture.summary}; {complexity.params:,} parameters, "
        f"{complexity.multi_adds / 1e9:.2f} G multi-adds, {complexity.activations / 1e6:.2f} M activations.",
        f"Runtime: {runtime.median_ms:.1f} ms (p10 {runtime.p10_ms:.1f}, p90 {runtime.p90_ms:.1f}, {runtime.runs} runs)"
        f" for {size_text(place.lr_size)} LR, {verdict}, on {place.device}, "
        f"{place.threads} threads, in {place.engine}, {runtime.precision}, {runtime.memory_format}.{steady}",
        f"Quality after {chosen.recipe.steps:,} steps: PSNR {quality.psnr:.2f} dB, {gain:+.2f} against bicubic's "
        f"{chosen.bicubic.psnr:.2f}; on Y {quality.psnr_y:.2f} against {chosen.bicubic.psnr_y:.2f} "
        f"({quality.pictures} validation pictures).",
        describe_engines(chosen.engines),
        *_gain(trials, chosen),
        *_rivals(chosen),
        _tally(trials, fidelity),
        *predictions,
        f"The plots show the PSNR of every candidate, the chosen one too, {_first_rung(fidelity)}, "
        f"on crops of {len(setup.val)} validation pictures.",
    ]


def nothing_within(trials: Sequence[Trial], budget_ms: float, seconds: float = math.inf) -> str:
    """Say which candidate came nearest to the budget; seconds: what limit there was for the whole search."""
    if not trials and math.isfinite(seconds):
        return (
            f"the time limit of {duration(seconds)} ended before the first candidate; give more by --time-limit, or "
            f"go on with --resume"
        )
    measured = {trial: trial.measurement.runtime for trial in trials if trial.measurement is not None}
    if not measured:
        return f"nothing meets the budget of {budget_ms:g} ms: no candidate could be measured"
    fastest = min(measured, key=lambda trial: measured[trial].p90_ms)
    runtime = measured[fastest]
    return (
        f"nothing meets the budget of {budget_ms:g} ms: the fastest of {len(measured)} candidates, "
        f"trial {fastest.number} ({fastest.architecture.summary}), takes {runtime.median_ms:.3g} ms "
        f"(p90 {runtime.p90_ms:.3g})"
    )


def _gain(trials: Sequence[Trial], chosen: Chosen) -> list[str]:
    """Say what searching gained over the best architecture that was there before, also when that is nothing."""
    playoff = chosen.playoff
    if playoff is None or playoff.gain is None:
        return []
    control = next(trial for trial in trials if trial.number == playoff.control)
    if playoff.winner == playoff.control:
        return [f"Searching gained nothing: of those that were trained on side by side trial {control.number}, one of "
                "the architectures that every search begins with, promised most."]  # fmt: skip
    rgb, luma = playoff.gain
    winner = next(trial for trial in trials if trial.number == playoff.winner)
    return [
        f"Searching gained {rgb:+.2f} dB (Y {luma:+.2f}) over the best architecture that every search begins with, "
        f"trial {control.number} ({control.architecture.summary}), after the same {playoff.steps:,} steps, and was "
        f"expected to gain {playoff.expected_gain:+.2f} dB by the end of the long training; "
        f"{winner.runtime_ms:.1f} ms against its {control.runtime_ms:.1f}."
    ]


def _rivals(chosen: Chosen) -> list[str]:
    """Say how hand-designed networks of the same budget compare, measured in the same rounds."""
    if not chosen.finalist.rivals:
        return ["No hand-designed family has a network within the budget."]
    ours = chosen.finalist.beside.runtime.median_ms
    compared = []
    for name, measured in chosen.finalist.rivals.items():
        quality = chosen.rival_quality.get(name)
        psnr = "" if quality is None else f", {quality.psnr:.2f} dB (Y {quality.psnr_y:.2f})"
        compared.append(f"{name} {measured.runtime.median_ms:.1f} ms{psnr}")
    alike = ", trained alike where a PSNR stands" if chosen.rival_quality else ""
    return [f"Hand-designed networks of this budget, in the same rounds{alike}: chosen {ours:.1f} ms; "
            f"{'; '.join(compared)}."]  # fmt: skip


def _first_rung(fidelity: FidelitySchedule) -> str:
    """Say what the PSNR of the first rung is the PSNR of."""
    steps = fidelity.steps(0)
    return f"after the same {steps:,} steps" if steps else "with the weights that it inherits from the supernet"


def _tally(trials: Sequence[Trial], fidelity: FidelitySchedule) -> str:
    """Say how many candidates were tried, and what became of them."""
    once = [trial for trial in trials if trial.duplicate_of is None]
    counts = Counter(trial.state for trial in once)
    unsettled = f", {counts['put off']} put off and never settled" if counts["put off"] else ""
    repeated = len(trials) - len(once)
    counted = f"{counts['trained']} {'scored' if fidelity.begins_with_score else 'trained'}"
    higher = [
        f"{sum(len(trial.rungs) > rung for trial in once)} went on to {fidelity.steps(rung):,} steps"
        for rung in range(1, fidelity.ladder.top + 1)
    ]
    return (
        f"Candidates: {len(once)} tried, {', '.join([counted, *higher])}, {counts['infeasible']} over the budget and "
        f"never trained, {counts['failed']} failed{unsettled}; {repeated} repeated proposals answered from the record; "
        f"{len(front_of(trials))} on the front."
    )
