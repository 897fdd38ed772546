"""Where choosing for every convolution by itself did not pay, the group's network is taken instead: it never loses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prune.outcomes import Outcome

# Within so many dB two networks are as good as each other; within this share one takes no longer than the other, as the
# verdict has it, and beyond this one it is clearly faster.
_SAME_PSNR, _SAME_RUNTIME, _FASTER = 0.02, 0.03, 0.01
GROUP = "group"


@dataclass(frozen=True)
class Fallback:
    """A network of ours that gave way to the group's.

    Attributes:
        name: Of ours.
        own: What its own plan came to.
        taken: What it is now.
    """

    name: str
    own: Outcome
    taken: Outcome

    @property
    def line(self) -> str:
        """What happened, in plain words."""
        return (
            f"{self.name} is the group's network: its own plan took {self.own.runtime_ms:.3g} ms at "
            f"{self.own.psnr:.2f} dB, the group's {self.taken.runtime_ms:.3g} ms at {self.taken.psnr:.2f} dB"
        )


def with_fallbacks(outcomes: Sequence[Outcome]) -> tuple[tuple[Outcome, ...], list[Fallback]]:
    """Return the outcomes, ours exchanged for the group's where that is ahead in one way and behind in none.

    Args:
        outcomes: Measured in the same rounds; without one called "group" nothing is exchanged.

    Returns:
        The outcomes in their order, and what was exchanged.
    """
    group = next((each for each in outcomes if each.name == GROUP), None)
    fallbacks = [
        Fallback(each.name, each, replace(group, name=each.name))
        for each in outcomes
        if group is not None and each.is_ours and _is_ahead(group, each)
    ]
    taken = {each.name: each.taken for each in fallbacks}
    return tuple(taken.get(each.name, each) for each in outcomes), fallbacks


def _is_ahead(group: Outcome, ours: Outcome) -> bool:
    """Return whether the group's network is as good and as fast as ours, and clearly better in one of both."""
    gained, ratio = group.psnr - ours.psnr, group.runtime_ms / ours.runtime_ms
    no_worse = gained >= -_SAME_PSNR and ratio <= 1 + _SAME_RUNTIME
    return no_worse and (gained > _SAME_PSNR or ratio < 1 - _FASTER)
