"""What a search leaves to read: tables of its trials and of the front, the page, the closing lines."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nas.finalize import Chosen
from nas.training.fidelity_schedule import FidelitySchedule
from nas.trial import Trial, front_of
from sr.files import replacing
from sr.lr_size import size_text
from sr.measure.measurement import Measurement
from sr.progress import duration
from sr.report.figures import pareto_figure, write_png
from sr.report.page import Kind, Point
from sr.report.pareto_page import pareto_page
from sr.shipping import describe as describe_engines

_COLUMNS = (
    "number", "state", "psnr", "psnr_y", "last_psnr", "last_steps",
    "runtime_ms", "runtime_p10", "runtime_p90", "runs", "reliable", "reference_ms", "calm_ms",
    "activations", "multi_adds", "challenge_flops", "params", "convs", "memory", "memory_format", "seconds",
    "duplicate_of", "reason", "key", "summary", "architecture",
)  # fmt: skip


def write_tables(out: Path, trials: Sequence[Trial]) -> None:
    """Write trials.csv (all, by number) and front.csv (best PSNR first)."""
    for name, chosen in (
        ("trials.csv", sorted(trials, key=lambda trial: trial.number)),
        ("front.csv", front_of(trials)),
    ):
        with replacing(out / name) as temporary:
            table(chosen).to_csv(temporary, index=False)


def table(trials: Sequence[Trial]) -> pd.DataFrame:
    """Return trials as rows in their order; PSNR in dB, runtimes in ms, memory in bytes; NaN: not measured."""
    return pd.DataFrame([_row(trial) for trial in trials], columns=list(_COLUMNS))


def _row(trial: Trial) -> dict[str, Any]:
    """Return a trial's line of the tables; what was not measured is absent."""
    line: dict[str, Any] = {
        "number": trial.number,
        "state": trial.state,
        "seconds": round(trial.seconds, 2),
        "duplicate_of": trial.duplicate_of,
        "reason": trial.reason,
        "key": trial.architecture.key,
        "summary": trial.architecture.summary,
        "architecture": json.dumps(trial.architecture.to_json()),
    }
    measured = trial.measurement
    if measured is None:
        return line
    runtime, complexity = measured.runtime, measured.complexity
    line |= {
        "runtime_ms": round(runtime.median_ms, 3),
        "runtime_p10": round(runtime.p10_ms, 3),
        "runtime_p90": round(runtime.p90_ms, 3),
        "runs": runtime.runs,
        "reliable": runtime.reliable,
        "reference_ms": None if measured.reference_ms is None else round(measured.reference_ms, 3),
        "calm_ms": None if trial.calm_ms is None else round(trial.calm_ms, 3),
        "memory_format": runtime.memory_format,
        "activations": complexity.activations,
        "multi_adds": complexity.multi_adds,
        "challenge_flops": complexity.challenge_flops,
        "params": complexity.params,
        "convs": complexity.convs,
        "memory": measured.memory,
    }
    if measured.quality is not None:
        line |= {"psnr": round(measured.quality.psnr, 4), "psnr_y": round(measured.quality.psnr_y, 4)}
    if trial.rungs:
        line |= {"last_psnr": round(trial.rungs[-1].psnr, 4), "last_steps": trial.rungs[-1].steps}
    return line


def write_page(out: Path, trials: Sequence[Trial], chosen: Chosen, budget_ms: float, closing: Sequence[str]) -> bool:
    """Write pareto.html, and pareto.png where a browser is there to draw it; return whether there was.

    All PSNR are those of the first rung on the same validation crops, the chosen network's too: only what was trained
    alike can stand on one plot.
    """
    front = {trial.number for trial in front_of(trials)}
    points = [
        Point.of(f"#{trial.number}", trial.measurement, _kind_of(trial, front, chosen), trial.architecture.summary)
        for trial in trials
        if trial.measurement is not None and trial.duplicate_of is None
    ]
    points += [_rival_point(title, measured) for title, measured in chosen.finalist.rivals.items()]
    title = f"x4 super-resolution within {budget_ms:g} ms"
    pareto_page(out / "pareto.html", title=title, points=points, budget_ms=budget_ms, closing=closing)
    return write_png(pareto_figure(points, budget_ms), out / "pareto.png")


def _rival_point(title: str, measured: Measurement) -> Point:
    """Return a hand-designed network as it is drawn: labelled by its family, its size beside it."""
    name, _, size = title.partition(" ")
    return Point.of(name, measured, "reference", f"hand-designed, {size}")


def _kind_of(trial: Trial, front: set[int], chosen: Chosen) -> Kind:
    """Return how a trial is drawn."""
    if trial.number == chosen.trial.number:
        return "chosen"
    if trial.state == "infeasible":
        return "infeasible"
    return "front" if trial.number in front else "candidate"


def closing_lines(
    trials: Sequence[Trial], chosen: Chosen, fidelity: FidelitySchedule, predictions: Sequence[str]
) -> list[str]:
    """Say what was chosen, its runtime against the budget and its PSNR against bicubic's, and what was tried."""
    setup = fidelity.setup
    budget_ms = setup.budget_ms
    runtime, quality = chosen.measurement.runtime, chosen.measurement.quality
    assert quality is not None
    complexity, place = chosen.measurement.complexity, chosen.measurement.conditions
    verdict = "within" if chosen.measurement.within(budget_ms) else "OVER"
    steady = "" if chosen.was_calm else " The device was never calm while this was measured: other processes used it."
    gain = quality.psnr - chosen.bicubic.psnr
    return [
        f"Chosen: trial {chosen.trial.number}, {chosen.trial.architecture.summary}; {complexity.params:,} parameters, "
        f"{complexity.multi_adds / 1e9:.2f} G multi-adds, {complexity.activations / 1e6:.2f} M activations.",
        f"Runtime: {runtime.median_ms:.1f} ms (p10 {runtime.p10_ms:.1f}, p90 {runtime.p90_ms:.1f}, {runtime.runs} runs)"
        f" for {size_text(place.lr_size)} LR, {verdict} the budget of {budget_ms:g} ms, on {place.device}, "
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
        return [f"Searching gained nothing: after the same {playoff.steps:,} steps the best is trial {control.number}, "
                "one of the architectures that every search begins with."]  # fmt: skip
    rgb, luma = playoff.gain
    winner = next(trial for trial in trials if trial.number == playoff.winner)
    return [
        f"Searching gained {rgb:+.2f} dB (Y {luma:+.2f}) over the best architecture that every search begins with, "
        f"trial {control.number} ({control.architecture.summary}), after the same {playoff.steps:,} steps; "
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
    counts = {state: sum(trial.state == state for trial in once) for state in ("trained", "infeasible", "failed")}
    repeated = len(trials) - len(once)
    counted = f"{counts['trained']} {'scored' if fidelity.begins_with_score else 'trained'}"
    higher = [
        f"{sum(len(trial.rungs) > rung for trial in once)} went on to {fidelity.steps(rung):,} steps"
        for rung in range(1, fidelity.ladder.top + 1)
    ]
    return (
        f"Candidates: {len(once)} tried, {', '.join([counted, *higher])}, {counts['infeasible']} over the budget and "
        f"never trained, {counts['failed']} failed; {repeated} repeated proposals answered from the record; "
        f"{len(front_of(trials))} on the front."
    )
