"""The tables of a league: a row for each network, and the whole as Markdown."""

from collections.abc import Callable, Sequence

from baselines.league.standings import NOT_SLOWED, Spread, Standing, Standings, psnr, psnr_y, similarity
from baselines.league.verdict import correlation_line, verdict_lines
from sr.lr_size import size_text
from sr.measure.quality import Quality
from sr.report.page import digits
from sr.scale import DEFAULT_SCALE

_FIGURES: tuple[tuple[str, Callable[[Quality], float], int], ...] = (
    ("RGB", psnr, 2),
    ("Y", psnr_y, 2),
    ("SSIM", similarity, 4),
)
_PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


def headings(standings: Standings) -> tuple[str, ...]:
    """Return the headings of the table; PSNR in dB, ± the standard deviation over seeds."""
    judged = [f"{val} {name}" for val in standings.val for name, *_ in _FIGURES]
    counts = ("params (k)", "multi-adds (G)", "activations (M)")
    return ("network", "from", "runtime (ms)", "p90 (ms)", *counts, *judged, "seeds", "learning rate", "note")


def rows(standings: Standings, steps: int) -> list[tuple[str, ...]]:
    """Return the rows of one length of training, the best on the last pictures first, bicubic last."""
    ranked = [_row(each, standings, steps) for each in standings.ranked(steps)]
    failed = [each for each in standings.standings if each.results and not each.of(steps)]
    bicubic = [f"{of(standings.bicubic[val]):.{decimals}f}" for val in standings.val for _, of, decimals in _FIGURES]
    return [
        *ranked,
        *(_row(each, standings, steps) for each in failed if any(result.steps == steps for result in each.results)),
        ("bicubic", "", "", "", "", "", "", *bicubic, "", "", ""),
    ]


def _row(standing: Standing, standings: Standings, steps: int) -> tuple[str, ...]:
    """Return one row."""
    runtime, complexity = standing.measurement.runtime, standing.measurement.complexity
    results = standing.of(steps)
    judged = [
        spread_text(standing.spread(steps, val, of), decimals) for val in standings.val for _, of, decimals in _FIGURES
    ]
    return (
        standing.title,
        standing.kind,
        digits(runtime.median_ms) + ("" if runtime.reliable else " ?"),
        digits(runtime.p90_ms),
        digits(complexity.params / 1e3),
        digits(complexity.multi_adds / 1e9),
        digits(complexity.activations / 1e6),
        *judged,
        str(len(results)),
        ", ".join(sorted({f"{each.learning_rate:g}" for each in results})),
        _note(standing, standings, steps),
    )


def spread_text(spread: Spread | None, decimals: int = 2) -> str:
    """Return a mean and its spread over seeds, where there are several."""
    if spread is None:
        return "-"
    mean = f"{spread.mean:.{decimals}f}"
    return mean if spread.count == 1 else f"{mean} {_PLUS_MINUS} {spread.deviation:.{decimals}f}"


def _note(standing: Standing, standings: Standings, steps: int) -> str:
    """Return what needs saying of a network."""
    of_length = [each for each in standing.results if each.steps == steps]
    failures = sum(bool(each.failure) for each in of_length)
    notes = (
        "" if standings.within(standing) else "over the budget",
        "its own weights trained on" if standing.kind == "pruned" else "",
        "last convolution as trained" if any(each.unsolved for each in of_length) else "",
        f"{failures} trainings failed" if failures else "",
    )
    return "; ".join(note for note in notes if note)


def markdown(standings: Standings) -> str:
    """Return the whole league as Markdown."""
    networks = "Networks" if standings.scale == DEFAULT_SCALE else f"x{standings.scale} networks"
    parts = [f"# {networks} within {standings.budget_ms:g} ms", "\n\n".join(place_lines(standings))]
    for steps in reversed(standings.lengths):
        table = markdown_table(headings(standings), rows(standings, steps))
        parts += [f"## {steps:,} steps", table, *verdict_lines(standings, steps)]
    return "\n\n".join([*parts, "## What predicts runtime", correlation_line(standings)]) + "\n"


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(map(_line, (head, ["---"] * len(head), *lines)))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def place_lines(standings: Standings) -> list[str]:
    """Say on what the runtimes were measured, and how figures are read; nothing where there is no network."""
    if not standings.standings:
        return []
    place = standings.standings[0].measurement.conditions
    where = f"{place.device}, {place.threads} threads, {place.engine}, {place.dtype}, LR {size_text(place.lr_size)}"
    times = standings.said_slowdown
    slower = f" The device was {times} times slower then than at calm speed, which decides what keeps to the budget."
    return [
        f"Measured in turn, in the same rounds, on {where} ({place.versions}).{slower if times != NOT_SLOWED else ''}",
        f"PSNR (dB) and SSIM: the higher, the nearer to the original. {_PLUS_MINUS} is how far trainings from other "
        "random starts (seeds) differ, as a standard deviation; ? marks a runtime that was not steady.",
    ]
