"""The tables that a search leaves: all of its trials, and the front."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nas.trial import Trial, front_of
from sr.files import replacing

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
