"""Networks designed by hand that stood beside a search: what they came to, and how they are trained."""

import json
import shlex
from dataclasses import replace
from typing import Any

from nas.report.ending import Ending
from nas.report.run import Run
from search_spaces.architecture import Architecture
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.report.charts import BARS, PSNR, RUNTIME, Look, chart, dataset, point_values
from sr.report.page import Point, digits, section, table
from sr.scale import DEFAULT_SCALE

_LOOKS = {
    "chosen": Look("ours", "star", "green", 11, 3, named=True, strong=True),
    "reference": Look("designed by hand, trained alike", "diamond", "vermilion", 6, 2, named=True, far=True),
}
_HEADINGS = ("network", "runtime (ms)", "p90 (ms)", "PSNR (dB)", "activations (M)", "params (k)", "size")
# How the usual values of a size are counted; others stand by their names.
_COUNTED = {"num_feat": "channels", "num_block": "blocks"}
_NAMED = {"True": True, "False": False, "None": None}


def rivals_section(run: Run) -> str:
    """Return ours beside the networks designed by hand of the same budget, as HTML; nothing while a search goes on."""
    if run.ending is None:
        return ""
    heading = "Beside networks designed by hand"
    if run.ending.rivals is None:
        return section(heading, "Which stood beside it was not kept by the version that ran this search.", "")
    if not run.ending.rivals:
        return section(heading, "No hand-designed family has a network within this budget.", "")
    return section(heading, _note(run), _plot(run) + _table(run))


def rival_point(title: str, measured: Measurement) -> Point:
    """Return a network designed by hand as it is drawn: labelled by its family, its size beside it."""
    return Point.of(title.partition(" ")[0], measured, "reference", size_words(title))


def rival_words(title: str) -> str:
    """Return a title such as `ecbsr num_feat=16` in words, the family first."""
    return ", ".join(filter(None, (title.partition(" ")[0], size_words(title))))


def size_words(title: str) -> str:
    """Return the size that a title such as `ecbsr num_feat=16 num_block=8` names, in words."""
    words = []
    for part in title.split()[1:]:
        key, _, value = part.partition("=")
        is_counted = key in _COUNTED and value.isdecimal()
        words.append(_count(int(value), _COUNTED[key]) if is_counted else f"{key} {value}".strip())
    return ", ".join(words)


def train_command(title: str, scale: int) -> str:
    """Return the command that trains a network designed by hand, by the title that a search gives it."""
    name, *parts = title.split(" ")
    words = ["python -m baselines.train", shlex.quote(name)]
    for key, _, value in (part.partition("=") for part in parts):
        given = ["--num-feat", value] if key == "num_feat" else ["--config", f"{key}={json.dumps(_value(value))}"]
        words += [shlex.quote(each) for each in given]
    if scale != DEFAULT_SCALE:
        words.append(f"--scale {scale}")
    return " ".join(words)


def _value(text: str) -> Any:  # noqa: ANN401 - what a network's size holds
    """Return the value of a size as its title writes it."""
    return int(text) if text.isdecimal() else _NAMED.get(text, text)


def _count(number: int, words: str) -> str:
    """Return a number of things in words."""
    return f"{number} {words.removesuffix('s') if number == 1 else words}"


def _note(run: Run) -> str:
    """Say what stands beside what, and which of it compares."""
    assert run.ending is not None
    together = " and with ours" if run.ending.beside is not None else " (ours in rounds of its own)"
    quality = run.ending.rival_quality
    trained = (
        f"Those with a PSNR were trained for the same steps and judged on all {run.ending.quality.pictures} validation "
        "pictures"
    )
    judged = (
        "They were timed and not trained (<code>--rivals all</code> trains them)" if not quality else
        trained if len(quality) == len(run.ending.rivals or ()) else f"{trained}; the others were timed alone"
    )  # fmt: skip
    return (
        f"Of each family the largest network that was expected to keep to {run.budget_ms:g} ms, timed in turn with the "
        f"others{together}, so that what disturbed one disturbed all. {judged}."
    )


def _plot(run: Run) -> str:
    """Return PSNR against runtime of those that were trained alike; nothing where none was."""
    ending = run.ending
    assert ending is not None
    if not ending.rival_quality or not ending.rivals:
        return ""
    ours = Point.of("ours", _ours(ending), "chosen", ending.architecture.summary)
    points = [point_values(ours)]
    for title, quality in ending.rival_quality.items():
        point = point_values(rival_point(title, ending.rivals[title]), **_training(title, run.scale))
        points.append(point | {"psnr": round(quality.psnr, 4)})
    return dataset("finished", points, _LOOKS) + chart(
        "PSNR against runtime of fully trained networks", "finished", RUNTIME, PSNR, budget_ms=run.budget_ms, bars=True,
        opens=True, height=380, notes=[BARS],
    )  # fmt: skip


def _training(title: str, scale: int) -> dict[str, str]:
    """Return the command that trains a network designed by hand as its panel shows it."""
    return {"command": train_command(title, scale), "leads": "Train it yourself"}


def rival_values(title: str, measured: Measurement, scale: int) -> dict[str, Any]:
    """Return a network designed by hand as the plots of candidates take it: its PSNR would be of other trainings."""
    return point_values(rival_point(title, measured), **_training(title, scale))


def _table(run: Run) -> str:
    """Return ours, those designed by hand, and bicubic interpolation, one row each."""
    ending = run.ending
    assert ending is not None
    rows = [_row("ours", _size(ending.architecture), _ours(ending), ending.quality, run.budget_ms)]
    for title, measured in (ending.rivals or {}).items():
        quality = ending.rival_quality.get(title)
        rows.append(_row(title.partition(" ")[0], size_words(title), measured, quality, run.budget_ms))
    rows.append(("bicubic interpolation", "", "", f"{ending.bicubic.psnr:.2f}", "", "", ""))
    return table(_HEADINGS, rows, ["chosen", *[""] * (len(rows) - 1)])


def _ours(ending: Ending) -> Measurement:
    """Return what is shipped with its runtime beside the others, where that was kept."""
    return ending.measurement if ending.beside is None else replace(ending.beside, quality=ending.quality)


def _size(architecture: Architecture) -> str:
    """Return the size of one of ours in words."""
    blocks = [block for block in architecture.blocks if block.kind != "identity"]
    return f"{_count(architecture.num_feat, 'channels')}, {_count(len(blocks), 'blocks')}"


def _row(name: str, size: str, measured: Measurement, quality: Quality | None, budget_ms: float) -> tuple[str, ...]:
    """Return one line of the table, in the order of _HEADINGS."""
    runtime, complexity = measured.runtime, measured.complexity
    return (
        name,
        digits(runtime.median_ms),
        digits(runtime.p90_ms),
        "-" if quality is None else f"{quality.psnr:.2f}",
        digits(complexity.activations / 1e6),
        digits(complexity.params / 1e3),
        f"{size}{f'; over {budget_ms:g} ms in these rounds' if runtime.median_ms > budget_ms else ''}",
    )
