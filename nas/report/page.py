"""The page of a search: one file that works offline."""

import html
from dataclasses import replace
from typing import Any

from baselines.challenge_table.published import rank_correlation
from nas.report.insights import (
    COUNTS,
    growth,
    importances,
    kinds_by_position,
    runtime_correlations,
    values_tried,
    winners,
)
from nas.report.points import candidate_values, export_command, points_of
from nas.report.predictions import prediction_lines
from nas.report.rivals import rival_words, rivals_section
from nas.report.run import Run
from nas.report.sentences import (
    asked_and_got,
    facts,
    headline,
    how,
    outcome_lines,
    plotted_psnr,
    tally,
)
from nas.report.vocabulary import BLOCK_WORDS, vocabulary
from sr.files import write_text
from sr.report.charts import (
    ACTIVATIONS,
    BARS,
    PSNR,
    RUNTIME,
    SEARCHED,
    ChartAxis,
    Look,
    chart,
    csv_button,
    dataset,
    embedded_json,
)
from sr.report.figures import pareto_figure, write_png
from sr.report.page import digits, document, front_table, section, table
from sr.report.samples import BICUBIC, HR, LR, OURS, Sample
from sr.report.slider import slider
from sr.report.tables import facts_list, meter_table, share_table

PAGE, PICTURE = "pareto.html", "pareto.png"
# The pictures that every search has.
_OF_ALL = (LR, BICUBIC, OURS, HR)
_AREA = "dB \N{MULTIPLICATION SIGN} ms"
_GROWTH = {"grown": Look("", "circle", "blue", 3.5, 1, front=True)}


def write_page(run: Run) -> bool:
    """Write the page, and a picture of its plot where a browser is there to draw it; return whether there was."""
    write_text(run.folder / PAGE, search_page(run))
    points = points_of(run)
    if not any(point.psnr is not None for point in points):
        return False
    return write_png(pareto_figure(points, run.budget_ms), run.folder / PICTURE)


def search_page(run: Run) -> str:
    """Return the page as HTML."""
    place = run.conditions
    kicker = f"A search by ParetoSR: {place.device}, {place.engine}, {place.dtype}"
    return document(headline(run), [], _body(run), kicker=kicker, lead=asked_and_got(run), draws=True)


def _body(run: Run) -> str:
    """Return all below the first sentence."""
    data = dataset("candidates", candidate_values(run), SEARCHED) + embedded_json("vocabulary", vocabulary(run.scale))
    return data + _first_screen(run) + "".join(
        part for part in (
            _runtime_section(run), rivals_section(run), _pair(_activations_section(), _predictors_section(run)),
            _pair(_growth_section(run), _importance_section(run)), _winners_section(run), _front_section(run),
            _trust_section(run), _how_section(run),
        ) if part
    )  # fmt: skip


def _first_screen(run: Run) -> str:
    """Return the pictures, the figures that matter, and what else came out."""
    shown = facts_list(facts(run))
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in outcome_lines(run))
    more = f'<ul class="plain">{lines}</ul>' if lines else ""
    if run.samples:
        samples = _samples(run)
        words = {name: rival_words(name) for each in samples for name in each.files if name not in _OF_ALL}
        return f"<section>{slider(samples, aside=shown, words=words)}</section>\n" + (
            f"<section><h2>What you got</h2>{more}{_commands(run)}</section>\n" if more else "")  # fmt: skip
    missing = "" if run.ending is None else (
        '<p class="note">No pictures were kept by the version that ran this search.</p>')  # fmt: skip
    return f"<section>{shown}{more}{_commands(run)}{missing}</section>\n"


def _samples(run: Run) -> list[Sample]:
    """Return the pictures with those of the best rival alone: all of them would weigh as much as the rest."""
    quality = {} if run.ending is None else run.ending.rival_quality
    best = max(quality, key=lambda name: quality[name].psnr, default=None)
    shown = {*_OF_ALL, best}
    return [
        replace(each, files={name: file for name, file in each.files.items() if name in shown}) for each in run.samples
    ]


def _commands(run: Run) -> str:
    """Return the command that takes the shipped network away."""
    if run.ending is None:
        return ""
    command = html.escape(export_command(run.folder, "chosen"))
    button = f'<button type="button" data-copy="{command}">Copy</button>'
    return (
        '<p class="note">Its files lie in the folder <code>chosen</code> of the search. To have them with a model card '
        f'and a page that upscales in the browser:</p><div class="tools">{button}</div>'
    )


def _runtime_section(run: Run) -> str:
    """Return PSNR against runtime."""
    notes = [BARS, *(["below the dotted line: runtime alone"] if _has_strip(run) else [])]
    plot = chart(
        "PSNR against runtime of every candidate", "candidates", RUNTIME, PSNR, budget_ms=run.budget_ms, front=True,
        bars=True, strip=True, opens=True, height=470, notes=notes,
    )  # fmt: skip
    note = f"{html.escape(tally(run))} {html.escape(plotted_psnr(run))} Press a network to see what it is."
    return section("PSNR against runtime", note, plot + csv_button("candidates"))


def _has_strip(run: Run) -> bool:
    """Return whether anything has a runtime and no PSNR."""
    return any(point.psnr is None for point in points_of(run))


def _activations_section() -> str:
    """Return PSNR against activations."""
    note = "Activations are the numbers that the convolutions write for one picture, in millions."
    plot = chart("PSNR against activations", "candidates", ACTIVATIONS, PSNR, front=True, opens=True, height=360)
    return section("PSNR against activations", note, plot)


def _predictors_section(run: Run) -> str:
    """Return which counts put networks in the order of their runtimes, beside what AIM 2020 found."""
    found = runtime_correlations(run.measured)
    known = {name: rho for name, rho in found.items() if rho is not None}
    if not known:
        return section("What predicts runtime here", "Too few networks were measured to tell.", "")
    best = max(known, key=lambda name: known[name])
    note = (
        f"Sorting the {len(run.measured)} measured networks by their <b>{html.escape(best)}</b> comes nearest to "
        "sorting them by runtime. 1: the same order, 0: no relation. The last column is what the AIM 2020 challenge "
        "found on its GPU (its Table 2)."
    )
    published = {name: None if column is None else rank_correlation(column) for name, (_, column) in COUNTS.items()}
    rows = [
        (name, found[name], "" if (theirs := published[name]) is None else f"{theirs:.2f}")
        for name in sorted(found, key=lambda each: -(found[each] or -1.0))
    ]
    return section("What predicts runtime here", note, meter_table(("count", "here", "", "AIM 2020"), rows))


def _growth_section(run: Run) -> str:
    """Return how the front grew."""
    steps = growth(run)
    if not steps:
        return section("How the front grew", "Too few candidates were trained to tell.", "")
    timed = all(each.number in run.worked_on.ended for each in steps)
    points = []
    for each in steps:
        values: dict[str, Any] = {"id": f"after #{each.number}", "kind": "grown", "volume": round(each.volume, 4),
                                  "number": each.number, "lines": [f"{digits(each.volume)} {_AREA}"]}  # fmt: skip
        if timed:
            values["minutes"] = round(run.worked_on.ended[each.number].total_seconds() / 60, 3)
        points.append(values)
    x = ChartAxis("minutes", "since the first candidate", "minutes", log=False) if timed else ChartAxis(
        "number", "candidate", log=False)  # fmt: skip
    plot = chart("Hypervolume over time", "growth", x, ChartAxis("volume", "hypervolume", _AREA, log=False),
                 front=True, height=360)  # fmt: skip
    note = (
        "The area that the front covers, from the budget and the worst of the first candidates on (its hypervolume). "
        "Where the line stays level, more searching brought nothing."
    )
    return section("How the front grew", note, dataset("growth", points, _GROWTH) + plot)


def _importance_section(run: Run) -> str:
    """Return how much each choice matters."""
    found = importances(run.trained)
    if not found:
        return section("Which choices matter", "Too few candidates were trained to tell.", "")
    note = (
        "The share of the differences between candidates that a choice explains by itself (of their ranks, Kruskal and "
        "Wallis; corrected for chance). The search did not try all values equally often. Upsampler: how the picture "
        "grows; image skip: the enlarged LR picture that the network adds detail to; aggregation: what goes around the "
        "blocks."
    )
    rows = [
        (each.parameter, each.psnr, "" if each.runtime is None else f"{100 * each.runtime:.0f} %") for each in found
    ]
    return section("Which choices matter", note,
                   meter_table(("choice", "of PSNR", "", "of runtime"), rows, percent=True))  # fmt: skip


def _winners_section(run: Run) -> str:
    """Return who wins where: kinds by position, and every value of every choice."""
    best = winners(run)
    if not best:
        return ""
    shares = kinds_by_position(best)
    depth = max((len(row) for row in shares.values()), default=0)
    heat = share_table("block", [str(at + 1) for at in range(depth)], shares)
    headings = ("choice", "value", "tried", "among the best", "share", "best PSNR (dB)", "")
    rows = [
        (each.parameter, each.value, str(each.tried), str(each.winners), f"{100 * each.winners / each.tried:.0f} %",
         "-" if each.best is None else f"{each.best:.2f}", "")
        for each in values_tried(run)
    ]  # fmt: skip
    note = (
        f"Of the {len(best)} best networks (the front, or the best quarter where that is more), the share that has a "
        "kind of block at a position, first to last."
    )
    known = [kind for kind in shares if kind in BLOCK_WORDS]
    words = "".join(f"<li><b>{html.escape(kind)}</b>: {html.escape(BLOCK_WORDS[kind])}</li>" for kind in known)
    meant = f'<details><summary>What these blocks are</summary><ul class="plain">{words}</ul></details>'
    every = f"<details><summary>Every value that was tried</summary>{table(headings, rows, [''] * len(rows))}</details>"
    return section("Who wins where", note, heat + meant + every)


def _front_section(run: Run) -> str:
    """Return the front as a table."""
    points = sorted(
        (each for each in points_of(run) if each.kind in ("front", "chosen")), key=lambda each: each.runtime_ms
    )
    return section("The front", html.escape(plotted_psnr(run)), front_table(points)) if points else ""


def _trust_section(run: Run) -> str:
    """Return how far predictions may be trusted."""
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in prediction_lines(run))
    return section("How far to trust the predictions", "", f'<ul class="plain">{lines}</ul>')


def _how_section(run: Run) -> str:
    """Return the command, the machine, the versions, the seeds and the hours."""
    rows = [(name, value) for name, value in how(run)]
    command = run.command and f"<p><code>{html.escape(run.command)}</code></p>"
    return section("How this came about", "", command + table(("", ""), rows, [""] * len(rows)))


def _pair(left: str, right: str) -> str:
    """Return two sections side by side where the screen is wide enough."""
    return f'<div class="pair">{left}{right}</div>\n'
