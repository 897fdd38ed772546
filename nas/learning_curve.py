"""What a network comes to after a longer training than it had: a short one flatters what learns fast.

PSNR approaches its limit by a small power of the steps, limit - scale * steps ** -POWER, as losses do (Hestness et al.,
"Deep Learning Scaling is Predictable, Empirically", 2017): each fourfold training gains half of what the one before it
did, as seen on Set14 from 312 steps to 1,250 (0.35 to 0.40 dB), 5,000 (0.18 to 0.23) and 20,000 (0.08 to 0.12). What
one network gains beyond the others is mostly another's head start made up for, such as an image skip's, and fades
sooner: over the chosen networks of ten searches, a dB more gained between the steps 312 and 1,247 (or 390 and 1,559)
was worth 0.45 dB more by step 22,000.
"""

from collections.abc import Sequence

from nas.successive_halving import Rung

POWER, FADING = 0.5, 0.75


def expected_psnr(rungs: Sequence[Rung], steps: float, usual_gain: float = 0.0) -> float:
    """Return the PSNR in dB that is expected after so many steps.

    Args:
        rungs: What was reached after ever more steps, at least one; the first and the last of them count, and a loss
            between them is none.
        steps: In all; those of the last rung or fewer give its own PSNR.
        usual_gain: What networks gain between these two rungs, dB; it makes no difference to which of several is ahead.
    """
    first, last = rungs[0], rungs[-1]
    if first.steps == last.steps or steps <= last.steps or not first.steps:
        return last.psnr
    return (
        last.psnr
        + usual_gain * _goes_on(first, last, steps, POWER)
        + (gain_of(rungs) - usual_gain) * _goes_on(first, last, steps, FADING)
    )


def gain_of(rungs: Sequence[Rung]) -> float:
    """Return what was gained from the first rung to the last, dB; a loss is none."""
    return max(0.0, rungs[-1].psnr - rungs[0].psnr)


def _goes_on(first: Rung, last: Rung, steps: float, power: float) -> float:
    """Return how many times what was gained between two rungs is gained from the last one to so many steps."""
    return float((last.steps**-power - steps**-power) / (first.steps**-power - last.steps**-power))


def long_training_steps(rungs: Sequence[Rung], seconds: float, steps: int | None = None) -> float:
    """Return the steps of a training of so many seconds at the pace of the rungs; infinite where it has no limit.

    Args:
        rungs: Of the network, at least one.
        seconds: That the training takes.
        steps: The number of steps where that is given instead.
    """
    taken = rungs[-1].steps
    pace = sum(rung.seconds for rung in rungs) / taken if taken else 0.0
    if steps is not None:
        return max(taken, steps)
    return max(taken, seconds / pace) if pace else float(taken)
