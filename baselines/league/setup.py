"""What all entries of a league share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sr.data.pairs import Pairs
from sr.measure.target import Target
from sr.training.recipe import Recipe

# Of every entry the best of these, by a short training. Closer where most have their best: there 0.001 is 0.03 dB to a
# deep network.
RATES = (1e-3, 2e-3, 3e-3, 6e-3)
# A short training's share of the steps: one in so many. The shorter it is, the higher the rate that it chooses: at one
# in ten of 5,000 steps nearly all chose the highest, and one that was tried at the next lower too ended 0.2 dB higher.
SHARE = 4


@dataclass(frozen=True)
class Setup:
    """What all entries share.

    Attributes:
        budget_ms: Milliseconds that nine runs of ten are to keep to.
        target: What runtimes are for, and where networks are trained.
        recipe: Of every training, in one precision; its learning rate gives way to one of `rates`, its seed to those
            that follow it.
        train: What is learned from, on the target's device where it fits.
        val: What trained networks are judged on, by name, on that device.
        folder: Where everything is kept.
        rates: Learning rates, ascending.
        calm_ms: What the reference network takes when nothing slows the device; None where that is not known.
    """

    budget_ms: float
    target: Target
    recipe: Recipe
    train: Pairs
    val: Mapping[str, Pairs]
    folder: Path
    rates: tuple[float, ...] = RATES
    calm_ms: float | None = None

    @property
    def scale(self) -> int:
        """How many times all entries enlarge: as HR does the LR of the pictures."""
        return self.train.scale
