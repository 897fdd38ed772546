"""The networks of a search as its plots and panels take them."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.report.rivals import rival_point, rival_values
from nas.report.run import Run
from nas.report.sentences import candidate_lines
from nas.training.rung_training import weights_path
from nas.trial import Trial
from sr.measure.measurement import Measurement
from sr.report.charts import point_values
from sr.report.page import Kind, Point

_REMOVED = "Its weights were removed to save room, as those of all that are far from the best: it cannot be exported."
_SHARED = "It was judged with weights of one shared network and has none of its own: it cannot be exported."


def export_command(folder: Path, pick: str) -> str:
    """Return the command that exports a network of a run."""
    return f"python -m nas.export {shlex.quote(str(folder))} --pick {pick} --format onnx"


def candidate_values(run: Run) -> list[dict[str, Any]]:
    """Return every measured network as the plots take it."""
    values = []
    for trial, point in zip(run.measured, _candidates(run), strict=True):
        own: dict[str, Any] = {"lines": candidate_lines(trial, run.ending)}
        if point.kind == "chosen":
            own["name"] = f"ours, {point.label}"
        values.append(point_values(point, **_panel_of(trial, run)) | own)
    return [*values, *(rival_values(title, measured, run.scale) for title, measured in _rivals(run).items())]


def _panel_of(trial: Trial, run: Run) -> dict[str, Any]:
    """Return what the panel of a candidate shows beyond its point."""
    assert trial.measurement is not None
    shipped = run.ending is not None and trial.number == run.ending.number
    has_weights = shipped or (trial.state == "trained" and _has_weights(trial, run.folder))
    return {
        "convs": trial.measurement.complexity.convs,
        "memory": trial.measurement.memory,
        "architecture": trial.architecture.canonical.to_json(),
        "command": export_command(run.folder, "chosen" if shipped else str(trial.number)) if has_weights else None,
        "note": None if has_weights or trial.state != "trained" else _why_not(trial),
    }


def _has_weights(trial: Trial, folder: Path) -> bool:
    """Return whether the weights of a trained candidate are kept; True where nothing of the search's folder is here."""
    kept = folder / "candidates"
    return not kept.is_dir() or weights_path(kept, trial.architecture.key).is_file()


def _why_not(trial: Trial) -> str:
    """Say why a trained candidate cannot be exported."""
    return _REMOVED if trial.rungs and trial.rungs[-1].steps else _SHARED


def points_of(run: Run) -> list[Point]:
    """Return every measured network: candidates, and the hand-designed ones, whose PSNR is of other trainings."""
    return [*_candidates(run), *(rival_point(title, measured) for title, measured in _rivals(run).items())]


def _candidates(run: Run) -> list[Point]:
    """Return the measured candidates, by number."""
    front = {trial.number for trial in run.front}
    return [
        Point.of(f"#{trial.number}", trial.measurement, _kind_of(trial, front, run), trial.architecture.summary)
        for trial in run.measured
        if trial.measurement is not None
    ]


def _rivals(run: Run) -> Mapping[str, Measurement]:
    """Return the hand-designed networks that stood beside what was shipped, by title."""
    return {} if run.ending is None else run.ending.rivals or {}


def _kind_of(trial: Trial, front: set[int], run: Run) -> Kind:
    """Return how a trial is drawn."""
    if run.ending is not None and trial.number == run.ending.number:
        return "chosen"
    if trial.state in ("infeasible", "put off"):
        return "infeasible"
    return "front" if trial.number in front else "candidate"
