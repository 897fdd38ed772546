"""What came out of a league, in sentences: the best by hand, how far others are from it, what predicts runtime."""

import math
from collections.abc import Callable, Sequence

from baselines.league.entries import Kind
from baselines.league.standings import Spread, Standing, Standings, psnr, psnr_y
from sr.measure.quality import Quality
from sr.report.page import digits


def verdict_lines(standings: Standings, steps: int) -> list[str]:
    """Say which network designed by hand is the best within the budget, and how searched and pruned ones compare.

    Both for each set of pictures, and by the mean over seeds; over RGB and over Y it may be another one. Nothing where
    there is none by hand.
    """
    lines = []
    for val in standings.val:
        best = _best(standings, steps, val, psnr)
        best_on_y = _best(standings, steps, val, psnr_y)
        if best is None or best_on_y is None:
            continue
        both = best is best_on_y
        lines.append(
            f"On {val} after {steps:,} steps {best.name} is the best designed by hand within "
            f"{standings.budget_ms:g} ms: {_mean(best, steps, val, psnr)}; over brightness (Y) "
            f"{'' if both else f'it is {best_on_y.name}: '}{_mean(best_on_y, steps, val, psnr_y)}."
        )
        lines += [
            f"On {val} after {steps:,} steps {each.name} is {_gain(each, best, steps, val, psnr)}; over brightness "
            f"(Y) it is {_gain(each, best_on_y, steps, val, psnr_y, named=not both)}{_by_one_seed(each, steps)}."
            for each in standings.ranked(steps)
            if each.kind != "hand-designed" and standings.within(each) and each.spread(steps, val, psnr) is not None
        ]
    return [*lines, *_equal_quality_lines(standings, steps)]


def correlation_line(standings: Standings) -> str:
    """Say how each count ranks networks against their runtime."""
    found = ", ".join(f"{name} {rank_text(rho)}" for name, rho in standings.correlations().items())
    return f"Spearman's rank correlation with the runtime over {len(standings.standings)} networks: {found}."


def rank_text(rho: float | None) -> str:
    """Return a rank correlation, where there is one."""
    return "-" if rho is None else f"{rho:.2f}"


def _best(standings: Standings, steps: int, val: str, of: Callable[[Quality], float]) -> Standing | None:
    """Return the best hand-designed network within the budget by the mean of one figure, None where there is none."""
    found = [
        (spread.mean, each.title, each)
        for each in standings.standings
        if each.kind == "hand-designed"
        and standings.within(each)
        and (spread := each.spread(steps, val, of)) is not None
    ]
    return max(found)[2] if found else None


def _equal_quality_lines(standings: Standings, steps: int) -> list[str]:
    """Say of searched and of pruned networks how soon the best PSNR by hand on the last pictures is reached."""
    val = standings.val[-1]
    best = _best(standings, steps, val, psnr)
    if best is None:
        return []
    wanted, theirs = _spread(best, steps, val, psnr).mean, best.measurement.runtime.median_ms
    lines = []
    kinds: Sequence[Kind] = ("searched", "pruned")
    for kind in kinds:
        reach = [
            (each.measurement.runtime.median_ms, each.name)
            for each in standings.ranked(steps)
            if each.kind == kind and _spread(each, steps, val, psnr).mean >= wanted
        ]
        if reach:
            ms, name = min(reach)
            lines.append(
                f"The PSNR of {best.name} on {val} is reached by {name} in {digits(ms)} ms, {ms / theirs:.2f} times "
                f"its {digits(theirs)} ms."
            )
    return lines


def _spread(standing: Standing, steps: int, val: str, of: Callable[[Quality], float]) -> Spread:
    """Return the mean and the spread of a network that has them."""
    spread = standing.spread(steps, val, of)
    assert spread is not None
    return spread


def _mean(standing: Standing, steps: int, val: str, of: Callable[[Quality], float]) -> str:
    """Return a mean with what it is over."""
    spread = _spread(standing, steps, val, of)
    return f"{spread.mean:.2f} dB, {'one seed' if spread.count == 1 else f'the mean over {spread.count} seeds'}"


def _by_one_seed(standing: Standing, steps: int) -> str:
    """Return what is to be added where a network was trained once."""
    return ", by one seed" if len(standing.of(steps)) == 1 else ""


def _gain(
    each: Standing, other: Standing, steps: int, val: str, of: Callable[[Quality], float], *, named: bool = True
) -> str:
    """Return by how many dB a network differs in the mean from another one, and whether that counts."""
    ours, theirs = _spread(each, steps, val, of), _spread(other, steps, val, of)
    difference = ours.mean - theirs.mean
    amount = f"{abs(difference):.3f}"
    if amount == "0.000":
        return f"as good as {other.name}" if named else "as good"
    found = f"{amount} dB {'better' if difference > 0 else 'worse'}{f' than {other.name}' if named else ''}"
    if min(ours.count, theirs.count) > 1 and abs(difference) < math.hypot(ours.deviation, theirs.deviation):
        return f"{found} (less than its trainings differ by)"
    return found
