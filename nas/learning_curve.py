"""What a network comes to after a longer training than it had: a short one flatters what learns fast.

PSNR approaches its limit by a small power of the steps, limit - scale * steps ** -POWER, as losses do (Hestness et al.,
"Deep Learning Scaling is Predictable, Empirically", 2017): each fourfold training gains three quarters of what the one
before it did. Two points give scale and limit.
"""

from collections.abc import Sequence

from nas.successive_halving import Rung

POWER = 0.2


def expected_psnr(rungs: Sequence[Rung], steps: float) -> float:
    """Return the PSNR in dB that is expected after so many steps.

    Args:
        rungs: What was reached after ever more steps, at least one; the first and the last of them count, and a loss
            between them is none.
        steps: In all; those of the last rung or fewer give its own PSNR.
    """
    first, last = rungs[0], rungs[-1]
    if first.steps == last.steps or steps <= last.steps or not first.steps:
        return last.psnr
    gained = max(0.0, last.psnr - first.psnr)
    scale = gained / (first.steps**-POWER - last.steps**-POWER)
    return float(last.psnr + scale * (last.steps**-POWER - steps**-POWER))


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
