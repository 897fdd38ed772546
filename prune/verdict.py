"""The verdict on a pruning, in plain words."""

from collections.abc import Sequence

from prune.outcomes import Outcome, Shipped, parted
from sr.measure.measurement import Measurement
from sr.report.page import digits

# Runtimes within this share of each other, and PSNR within so many dB, are called equal.
SAME_RUNTIME = 0.03
SAME_PSNR = 0.01
# Differences of printed decimals, as 28.45 - 28.44, come out a little beyond their value.
ROUNDING = 1e-9


def verdict(outcomes: Sequence[Outcome], shipped: Shipped | None = None) -> list[str]:
    """Return in plain words what pruning came to, also where it lost.

    Args:
        outcomes: Measured in the same rounds.
        shipped: The file of the best.

    Returns:
        A line for each pruned network against the dense one, one for each that is not at the runtime asked for, one for
        each of ours against each other method, one where a runtime is not to be relied on, and one of what is shipped.

    Raises:
        InputError: Without an outcome "dense" or without a PSNR.
    """
    dense, ours, others = parted(outcomes)
    lines = [against_dense(pruned, dense) for pruned in outcomes if pruned is not dense]
    lines += [line for pruned in outcomes if (line := _off_the_mark(pruned, dense))]
    lines += [_against_rival(pruned, rival) for pruned in ours for rival in others]
    unsteady = [pruned for pruned in outcomes if not pruned.measurement.runtime.reliable]
    lines += [_unsteady_line(unsteady)] if unsteady else []
    return lines if shipped is None else [*lines, *shipped.lines]


def against_dense(pruned: Outcome, dense: Outcome) -> str:
    """Return how much faster a network is than the dense one and what that cost; 1.00 times as printed is no faster."""
    ratio = dense.runtime_ms / pruned.runtime_ms
    times = f"{digits(pruned.runtime_ms)} ms against {digits(dense.runtime_ms)} ms"
    quality = f"{_lost(dense.psnr - pruned.psnr)} ({_psnr_text(pruned, dense)})"
    if digits(max(ratio, 1 / ratio)) == "1.00":
        return f"not faster: {pruned.name} takes as long as dense ({times}), {quality}"
    if ratio < 1:
        return f"not faster: {pruned.name} takes {digits(1 / ratio)} times as long as dense ({times}), {quality}"
    return f"{pruned.name}: {digits(ratio)} times faster ({times}), {quality}"


def _lost(decibels: float) -> str:
    """Return what became of the PSNR, where a positive difference is a loss."""
    amount = f"{abs(decibels):.2f}"
    return "no PSNR lost" if amount == "0.00" else f"{amount} dB {'lost' if decibels > 0 else 'gained'}"


def _psnr_text(pruned: Outcome, other: Outcome) -> str:
    """Return two PSNR side by side."""
    return f"PSNR {pruned.psnr:.2f} against {other.psnr:.2f}"


def _off_the_mark(pruned: Outcome, dense: Outcome) -> str | None:
    """Return how far a network is from the runtime that was asked for, and why; None where it is there."""
    reached, share = pruned.reached, pruned.runtime_ms / dense.runtime_ms
    if reached is None or abs(share / reached.asked - 1) <= SAME_RUNTIME + ROUNDING:
        return None
    asked_ms = digits(reached.asked * dense.runtime_ms)
    line = (
        f"{pruned.name} is not at the runtime asked for: {share:.3f} of dense's instead of {reached.asked:.3f} "
        f"({digits(pruned.runtime_ms)} ms instead of {asked_ms} ms); "
    )
    if abs(reached.ratio / reached.asked - 1) <= SAME_RUNTIME + ROUNDING:
        return f"{line}when it was chosen it took {reached.ratio:.3f}"
    sides = [each for each in (reached.below, reached.above) if each is not None]
    shares = " and ".join(f"{each:.3f}" for each in sides)
    times = " and ".join(f"{digits(each * dense.runtime_ms)} ms" for each in sides)
    nearest = f"the nearest {'plans take' if len(sides) > 1 else 'plan takes'} {shares} ({times})"
    return f"{line}{nearest}{', with none between' if reached.nothing_between and len(sides) > 1 else ''}"


def _against_rival(ours: Outcome, rival: Outcome) -> str:
    """Return which of two pruned networks is ahead at what they came to, equal within SAME_RUNTIME and SAME_PSNR.

    Where their runtimes are not equal the line begins with that.
    """
    slower, faster = max(ours.runtime_ms, rival.runtime_ms), min(ours.runtime_ms, rival.runtime_ms)
    gain = ours.psnr - rival.psnr
    same_runtime = slower / faster <= 1 + SAME_RUNTIME + ROUNDING
    same_psnr = abs(gain) <= SAME_PSNR + ROUNDING
    figures = f"({digits(ours.runtime_ms)} ms against {digits(rival.runtime_ms)} ms, {_psnr_text(ours, rival)})"
    speed = f"{digits(slower / faster)} times {'faster' if ours.runtime_ms < rival.runtime_ms else 'slower'}"
    height = f"{abs(gain):.2f} dB {'better' if gain > 0 else 'worse'}"
    if same_runtime and same_psnr:
        return f"{ours.name} and {rival.name}: neither is ahead, equal in runtime and PSNR {figures}"
    if same_runtime:
        return f"at equal runtime {ours.name} is {height} than {rival.name} {figures}"
    if same_psnr:
        found = f"at equal PSNR {ours.name} is {speed} than {rival.name}"
    elif (ours.runtime_ms < rival.runtime_ms) == (gain > 0):
        wins = f"{ours.name} dominates {rival.name}" if gain > 0 else f"{ours.name} is dominated by {rival.name}"
        found = f"{wins}: {speed} and {height}"
    else:
        found = f"{ours.name} and {rival.name}: neither dominates, {ours.name} is {speed} but {height}"
    return f"not at equal runtime: {found} {figures}"


def _unsteady_line(unsteady: Sequence[Outcome]) -> str:
    """Return which runtimes are not to be relied on."""
    listed = ", ".join(f"{pruned.name} ({spread_text(pruned.measurement)} ms)" for pruned in unsteady)
    return f"not steady: the runtimes of {listed} spread widely or were disturbed; measure again on an idle device"


def spread_text(measurement: Measurement) -> str:
    """Return the 10th and 90th percentile of the runtime."""
    return f"{digits(measurement.runtime.p10_ms)} to {digits(measurement.runtime.p90_ms)}"
