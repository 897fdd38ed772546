"""Where choosing for every convolution by itself did not pay, another method's network is taken: it never loses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prune.outcomes import DENSE, Outcome
from prune.verdict import ROUNDING, SAME_PSNR, SAME_RUNTIME

# What takes so much less of the time is clearly faster.
_FASTER = 0.01


@dataclass(frozen=True)
class Fallback:
    """A network of ours that gave way to another method's.

    Attributes:
        name: Of ours.
        own: What its own plan came to.
        source: The method whose network it is now.
        taken: What it is now.
    """

    name: str
    own: Outcome
    source: str
    taken: Outcome

    @property
    def line(self) -> str:
        """What happened, in plain words."""
        return (
            f"{self.name} is the network of {self.source}: its own plan took {self.own.runtime_ms:.3g} ms at "
            f"{self.own.psnr:.2f} dB, that one {self.taken.runtime_ms:.3g} ms at {self.taken.psnr:.2f} dB"
        )


def with_fallbacks(outcomes: Sequence[Outcome]) -> tuple[tuple[Outcome, ...], list[Fallback]]:
    """Return the outcomes, ours exchanged for another method's where that is ahead in one way and behind in none.

    Args:
        outcomes: Measured in the same rounds; without another method nothing is exchanged.

    Returns:
        The outcomes in their order, and what was exchanged.
    """
    rivals = [each for each in outcomes if each.name != DENSE and not each.is_ours]
    fallbacks = []
    for ours in outcomes:
        ahead = [each for each in rivals if ours.is_ours and _is_ahead(each, ours)]
        if ahead:
            best = max(ahead, key=lambda each: (each.psnr, -each.runtime_ms))
            fallbacks.append(Fallback(ours.name, ours, best.name, replace(best, name=ours.name)))
    taken = {each.name: each.taken for each in fallbacks}
    return tuple(taken.get(each.name, each) for each in outcomes), fallbacks


def _is_ahead(rival: Outcome, ours: Outcome) -> bool:
    """Return whether a rival's network is as good and as fast as ours by the verdict, and clearly ahead in one."""
    gained, ratio = rival.psnr - ours.psnr, rival.runtime_ms / ours.runtime_ms
    no_worse = gained >= -SAME_PSNR - ROUNDING and ratio <= 1 + SAME_RUNTIME + ROUNDING
    return no_worse and (gained > SAME_PSNR + ROUNDING or ratio < 1 - _FASTER)
