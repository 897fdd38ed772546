"""The stages of a training, and what most papers say of theirs; what one does not say is `DEFAULT`'s.

Lengths are shares of all steps: the published ones, hundreds of thousands to millions of steps, are scaled down alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sr.training.recipe import Recipe

# L1, Adam, 48x48 LR patches, 16 a step: what most of the challenge's reports say.
DEFAULT: Mapping[str, Any] = {"loss": "l1", "learning_rate": 5e-4, "batch": 16, "patch": 48, "schedule": "cosine"}
# Halved after each fifth of the training: 200 of 1000 epochs in most reports.
HALVED: Mapping[str, Any] = {"schedule": "step"}
# A last stage at a small rate on the squared error, as winners have done since RFDN.
L2_STAGE: Mapping[str, Any] = {"loss": "l2", "learning_rate": 1e-5, "schedule": "constant", "warmup_steps": 0}


@dataclass(frozen=True)
class Stage:
    """A part of a training.

    Attributes:
        share: Of all steps, over 0 to 1; those of a training's stages sum to 1.
        changes: Fields of Recipe that differ from DEFAULT.
        begin: What is done to the network first: `grow` adds a random basis to every kernel under dilution, `fold`
            merges branches into the convolutions to deploy.
    """

    share: float = 1.0
    changes: Mapping[str, Any] = field(default_factory=dict)
    begin: Literal["", "grow", "fold"] = ""

    def recipe(self, steps: int, overrides: Mapping[str, Any]) -> Recipe:
        """Return the recipe of this stage of a training of `steps`; `overrides` win over everything."""
        values = {**DEFAULT, **self.changes, **overrides, "steps": max(1, round(self.share * steps))}
        return Recipe(**values)


# Of networks whose paper's recipe is unknown, or says nothing of three colours at four times the size: that by which
# ETDS's authors trained ESPCN, FSRCNN, ABPN and ECBSR beside their own (Chao et al., CVPR 2023), 1.6 million steps at
# one rate.
YARDSTICK = (Stage(1.0, {"schedule": "constant", "batch": 32, "patch": 64, "ema_decay": 0.999}),)
