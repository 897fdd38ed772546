"""A league in words and numbers: its table, the distance of the best from the best, what predicts runtime."""

import math
from collections.abc import Callable, Sequence

from baselines.league.entries import Kind
from baselines.league.standings import Spread, Standing, Standings, psnr, psnr_y, similarity
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
        _spread(standing.spread(steps, val, of), decimals) for val in standings.val for _, of, decimals in _FIGURES
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


def _spread(spread: Spread | None, decimals: int) -> str:
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
        head, lines = headings(standings), rows(standings, steps)
        table = [_line(head), _line(["---"] * len(head)), *(_line(line) for line in lines)]
        verdict = "\n\n".join(verdict_lines(standings, steps))
        parts += [f"## {steps:,} steps", "\n".join(table), *([verdict] if verdict else [])]
    return "\n\n".join([*parts, "## What predicts runtime", correlation_line(standings)]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def place_lines(standings: Standings) -> list[str]:
    """Say on what the runtimes were measured, and how figures are read; nothing where there is no network."""
    if not standings.standings:
        return []
    place = standings.standings[0].measurement.conditions
    where = f"{place.device}, {place.threads} threads, {place.engine}, {place.dtype}, LR {size_text(place.lr_size)}"
    return [
        f"Measured in turn, in the same rounds, on {where} ({place.versions}).",
        f"PSNR (dB) and SSIM: the higher, the nearer to the original. {_PLUS_MINUS} is how far trainings from other "
        "random starts (seeds) differ, as a standard deviation; ? marks a runtime that was not steady.",
    ]


def verdict_lines(standings: Standings, steps: int) -> list[str]:
    """Say for each set of pictures how searched and pruned networks within the budget compare with the best by hand.

    Of each figure the best by hand is another one.
    """
    lines = []
    for val in standings.val:
        best = _best(standings, "hand-designed", steps, val, psnr)
        best_on_y = _best(standings, "hand-designed", steps, val, psnr_y)
        if best is None or best_on_y is None:
            continue
        lines += [
            f"On {val} after {steps:,} steps {each.title} is {_gain(each, best, steps, val, psnr)}, the best designed "
            f"by hand within {standings.budget_ms:g} ms; over brightness (Y) it is "
            f"{_gain(each, best_on_y, steps, val, psnr_y)}."
            for each in standings.ranked(steps)
            if each.kind != "hand-designed" and standings.within(each) and each.spread(steps, val, psnr) is not None
        ]
    return lines


def _best(standings: Standings, kind: Kind, steps: int, val: str, of: Callable[[Quality], float]) -> Standing | None:
    """Return the best network of a kind within the budget by the mean of one figure, None where there is none."""
    found = [
        (spread.mean, each.title, each)
        for each in standings.standings
        if each.kind == kind and standings.within(each) and (spread := each.spread(steps, val, of)) is not None
    ]
    return max(found)[2] if found else None


def _gain(each: Standing, other: Standing, steps: int, val: str, of: Callable[[Quality], float]) -> str:
    """Return by how many dB a network differs in the mean from the best hand-designed one, and whether that counts."""
    ours, theirs = each.spread(steps, val, of), other.spread(steps, val, of)
    assert ours is not None
    assert theirs is not None
    difference = ours.mean - theirs.mean
    amount = f"{abs(difference):.3f}"
    if amount == "0.000":
        return f"as good as {other.title}"
    found = f"{amount} dB {'better' if difference > 0 else 'worse'} than {other.title}"
    if min(ours.count, theirs.count) > 1 and abs(difference) < math.hypot(ours.deviation, theirs.deviation):
        return f"{found} (less than its trainings differ by)"
    return found


def correlation_line(standings: Standings) -> str:
    """Say how each count ranks networks against their runtime."""
    found = ", ".join(
        f"{name} {'-' if rho is None else f'{rho:.2f}'}" for name, rho in standings.correlations().items()
    )
    return f"Spearman's rank correlation with the runtime over {len(standings.standings)} networks: {found}."
