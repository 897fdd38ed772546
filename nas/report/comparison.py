"""Several searches on one page: other conditions look different, and PSNRs of other pictures stand apart."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from nas.report.ending import Ending
from nas.report.run import Run
from sr.errors import InputError
from sr.lr_size import size_text
from sr.report.charts import BARS, PSNR, RUNTIME, Look, Shape, chart, csv_button, dataset
from sr.report.page import digits, document, section, table

_COLORS = ("blue", "vermilion", "green", "violet", "amber", "sky", "grey", "ink")
_SHAPES: tuple[Shape, ...] = ("circle", "diamond", "square", "triangle", "star")


def comparison_page(runs: Sequence[Run]) -> str:
    """Return the page of finished searches; raises InputError where one has not come to a network."""
    groups = _groups(runs)
    titles = _titles(runs)
    body = ""
    for number, (yardstick, members) in enumerate(groups.items()):
        points, looks = _points(members, titles)
        budgets = {run.budget_ms for run in members}
        plot = dataset(f"group {number}", points, looks) + chart(
            f"PSNR against runtime, {yardstick}", f"group {number}", RUNTIME, PSNR, bars=True, opens=True, height=460,
            budget_ms=budgets.pop() if len(budgets) == 1 else None,
            notes=[BARS, "a colour and a shape for each device, engine and precision"],
        ) + csv_button(f"group {number}")  # fmt: skip
        body += section(f"PSNR against runtime: {yardstick}", _note(members), plot)
    body += section("The networks", "", _networks(runs, titles)) + section("Conditions", _differences(runs),
                                                                           _conditions(runs, titles))  # fmt: skip
    title = f"{len(runs)} searches side by side"
    return document(title, comparison_lines(runs), body, kicker="A comparison by ParetoSR", draws=True)


def comparison_lines(runs: Sequence[Run]) -> list[str]:
    """Return a line for each search, and what must not be compared."""
    titles = _titles(runs)
    lines = []
    for run in runs:
        ending = _ending(run)
        ours = ending.measurement
        lines.append(
            f"{titles[id(run)]}: {digits(ours.runtime.median_ms)} ms in {ours.conditions.engine} "
            f"({ours.conditions.dtype}), budget {run.budget_ms:g} ms, {ending.quality.psnr:.2f} dB, "
            f"{ending.gain:+.2f} against bicubic."
        )
    if len(_groups(runs)) > 1:
        lines.append("They were judged on different pictures or at different sizes: plots stand apart for each, and "
                     "their figures do not compare.")  # fmt: skip
    return lines


def _ending(run: Run) -> Ending:
    """Return what a search came to; raises InputError where it has not come to a network."""
    if run.ending is None:
        raise InputError(f"{run.folder} holds no finished search; wait for its end, or leave it out")
    return run.ending


def _titles(runs: Sequence[Run]) -> dict[int, str]:
    """Return what each search is called: the name of its folder, the whole path where two are the same."""
    names = [run.folder.name for run in runs]
    return {id(run): run.folder.name if names.count(run.folder.name) == 1 else str(run.folder) for run in runs}


def _groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Part searches by what their PSNR and their runtime are of: the validation pictures, the scale and the LR size."""
    found: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        count, fingerprint = _pictures(run, "val")
        found.setdefault((fingerprint, count, run.scale, run.conditions.lr_size), []).append(run)
    named = {}
    for number, ((_, pictures, scale, size), members) in enumerate(found.items(), start=1):
        alike = f"x{scale}, {pictures} validation pictures, runtimes for {size_text(size)} LR"
        named[alike if len(found) == 1 else f"{alike} (group {number})"] = members
    return named


def _pictures(run: Run, part: str) -> tuple[int, str]:
    """Return how many pictures a search used for a part, and their fingerprint; InputError where it does not say."""
    try:
        of_part = run.settings["pictures"][part]
        return of_part["count"], of_part["fingerprint"]
    except KeyError as error:
        raise InputError(f"{run.folder} does not say of which pictures its figures are; leave it out") from error


def _points(runs: Sequence[Run], titles: Mapping[int, str]) -> tuple[list[dict[str, Any]], dict[str, Look]]:
    """Return each network in each engine, and a look for each device, engine and precision."""
    points: list[dict[str, Any]] = []
    looks: dict[str, Look] = {}
    for run in runs:
        ending = _ending(run)
        for engine, runtime in ending.engines.items():
            place = ending.measurement.conditions
            own = engine == place.engine
            kind = f"{place.device}, {place.threads} threads, {engine}, {runtime.precision}"
            if kind not in looks:
                number = len(looks)
                looks[kind] = Look(kind, _SHAPES[number % len(_SHAPES)], _COLORS[number % len(_COLORS)], 6, number,
                                   named=True)  # fmt: skip
            # Its PSNR is that of the file that the search shipped: another engine may run another precision.
            judged = "" if own else f"; the PSNR is that of its {place.engine} file"
            points.append({
                "id": f"{titles[id(run)]} in {engine}", "kind": kind, "name": titles[id(run)],
                "psnr": round(ending.quality.psnr, 4), "ms": runtime.median_ms, "p10": runtime.p10_ms,
                "p90": runtime.p90_ms, "activations": ending.measurement.complexity.activations,
                "multi_adds": ending.measurement.complexity.multi_adds, "params": ending.measurement.complexity.params,
                "lines": [f"{ending.architecture.summary}{judged}"],
            })  # fmt: skip
    return points, looks


def _note(runs: Sequence[Run]) -> str:
    """Return how long each was trained, where that differs: a PSNR is of its training too."""
    steps = {run.settings.get("final_recipe", {}).get("steps") for run in runs}
    if len(steps) < 2:
        return "All trained for the same number of steps."
    listed = ", ".join(f"{each:,}" for each in sorted(each for each in steps if each is not None))
    return f"Trained for different numbers of steps ({listed}): part of a difference in PSNR is that."


def _networks(runs: Sequence[Run], titles: Mapping[int, str]) -> str:
    """Return the table of the shipped networks."""
    rows = []
    for run in runs:
        ending = _ending(run)
        ours = ending.measurement
        rows.append((
            titles[id(run)], f"{ending.quality.psnr:.2f}", f"{ending.gain:+.2f}", digits(ours.runtime.median_ms),
            digits(ours.runtime.p90_ms), f"{run.budget_ms:g}", digits(ours.complexity.activations / 1e6),
            digits(ours.complexity.params / 1e3), ending.architecture.summary,
        ))  # fmt: skip
    headings = ("search", "PSNR (dB)", "against bicubic", "runtime (ms)", "p90 (ms)", "budget (ms)", "activations (M)",
                "params (k)", "architecture")  # fmt: skip
    return table(headings, rows, [""] * len(rows))


def _described(run: Run) -> dict[str, str]:
    """Return the conditions of a search by name."""
    place = run.conditions
    pictures = {part: _pictures(run, part) for part in ("val", "train")}
    return {
        "device": place.device,
        "driver": place.driver,
        "threads": str(place.threads),
        "engine": place.engine,
        "precision": place.dtype,
        "LR": size_text(place.lr_size),
        "scale": f"x{run.scale}",
        "versions": place.versions,
        "allocator": place.allocator,
        **{
            name: "{} with the fingerprint {}".format(*pictures[part])
            for name, part in (("validation pictures", "val"), ("training pictures", "train"))
        },
        "long training": f"{run.settings.get('final_recipe', {}).get('steps', 'not kept')} steps",
    }


def _differences(runs: Sequence[Run]) -> str:
    """Say in which conditions the searches differ, as HTML."""
    described = [_described(run) for run in runs]
    differing = [name for name in described[0] if len({each[name] for each in described}) > 1]
    if not differing:
        return "All were measured and trained under the same conditions."
    return f"<b>They differ in {html.escape(', '.join(differing))}</b>: rows with a coloured ground."


def _conditions(runs: Sequence[Run], titles: Mapping[int, str]) -> str:
    """Return the conditions of all searches side by side, those that differ marked."""
    described = [_described(run) for run in runs]
    rows = [(name, *(each[name] for each in described)) for name in described[0]]
    classes = ["chosen" if len(set(row[1:])) > 1 else "" for row in rows]
    return f'<div class="words">{table(("", *(titles[id(run)] for run in runs)), rows, classes)}</div>'
