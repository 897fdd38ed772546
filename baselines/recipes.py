"""How each system was trained, by its paper, its code or the report; what these do not say is the default's.

Lengths are shares of `--steps`: the published ones, hundreds of thousands to millions of steps, are scaled down alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sr.recipe import Recipe


@dataclass(frozen=True)
class Stage:
    """A part of a training.

    share: of all steps. changes: fields of Recipe that differ from DEFAULT. begin: what is done to the network first:
    `grow` adds random bases to every kernel under dilution, `fold` merges branches into the convolutions to deploy.
    """

    share: float
    changes: Mapping[str, Any] = field(default_factory=dict)
    begin: Literal["", "grow", "fold"] = ""

    def recipe(self, steps: int, overrides: Mapping[str, Any]) -> Recipe:
        """Return the recipe of this stage of a training of `steps`; `overrides` win over everything."""
        values = {**DEFAULT, **self.changes, **overrides, "steps": max(1, round(self.share * steps))}
        return Recipe(**values)


# L1, Adam, 48x48 LR patches, 16 a step: what most of the challenge's reports say.
DEFAULT: Mapping[str, Any] = {"loss": "l1", "learning_rate": 5e-4, "batch": 16, "patch": 48, "schedule": "cosine"}
# Halved after each fifth of the training: 200 of 1000 epochs in most reports.
HALVED = {"schedule": "step"}
# A last stage at a small rate on the squared error, as winners have done since RFDN.
L2_STAGE = {"loss": "l2", "learning_rate": 1e-5, "schedule": "constant", "warmup_steps": 0}

RECIPES: Mapping[str, tuple[Stage, ...]] = {
    "msrresnet": (Stage(1.0, {**HALVED, "learning_rate": 1e-4, "batch": 32, "patch": 24}),),
    "imdn": (Stage(1.0, {**HALVED, "learning_rate": 2e-4}),),
    "imdn_paper": (Stage(1.0, {**HALVED, "learning_rate": 2e-4}),),
    "rfdn": (Stage(0.9, {**HALVED, "batch": 64, "patch": 64}), Stage(0.1, {**L2_STAGE, "batch": 64, "patch": 64})),
    "fimdn": (
        Stage(0.73, {**HALVED, "learning_rate": 2e-4, "batch": 64, "patch": 64}),
        Stage(0.15, {**HALVED, "loss": "l2", "learning_rate": 1e-5, "batch": 24, "patch": 160}),
        Stage(0.08, {**HALVED, "loss": "l2", "learning_rate": 1e-6, "batch": 4, "patch": 160}),
        Stage(0.04, {**HALVED, "loss": "l2", "learning_rate": 1e-6, "batch": 24, "patch": 160}, begin="fold"),
    ),
    "dilutnet": (
        Stage(0.5),
        Stage(0.3, {"learning_rate": 2.5e-4}, "grow"),
        Stage(0.2, {"learning_rate": 1e-4}, "grow"),
    ),
    "pan": (Stage(1.0, {"learning_rate": 7e-4, "minimum_learning_rate": 1e-7, "batch": 32, "patch": 64}),),
    "latticenet": (Stage(1.0, {**HALVED, "learning_rate": 2e-4}),),
    "gcsr": (Stage(1.0, {**HALVED, "loss": "l1_gradient", "learning_rate": 2.56e-4, "batch": 72, "patch": 80}),),
    "maffsrn": (Stage(1.0, {**HALVED, "learning_rate": 2e-4}),),
    "larvanet": (Stage(1.0, {**HALVED, "optimiser": "adamw", "learning_rate": 1e-4}),),
    "idlesr": (Stage(1.0, {"patch": 64}),),
    "srrn": (Stage(1.0, {"batch": 25, "patch": 49}),),
    "amafnet": (Stage(1.0, {**HALVED, "learning_rate": 1e-3}),),
    "pwan": (Stage(1.0, {"loss": "charbonnier"}),),
    "rlfn": (Stage(0.9, {**HALVED, "batch": 64, "patch": 64}), Stage(0.1, {**L2_STAGE, "batch": 64, "patch": 128})),
    "fmen": (Stage(0.9, {"patch": 64}), Stage(0.1, {**L2_STAGE, "patch": 64})),
    "bsrn": (Stage(1.0, {"learning_rate": 1e-3, "minimum_learning_rate": 1e-7, "batch": 64}),),
    "safmn": (
        Stage(
            1.0, {"learning_rate": 1e-3, "minimum_learning_rate": 1e-5, "batch": 64, "patch": 64, "ema_decay": 0.999}
        ),
    ),
    "ecbsr": (Stage(1.0, {"batch": 32, "patch": 64}),),
}

# The config in which a network trains, where that is not the one in which it is deployed.
TRAINING_FORMS: Mapping[str, Mapping[str, Any]] = {
    "larvanet": {"legs": True},
    "fimdn": {"branched": True},
    "dilutnet": {"bases": 3},
    "span": {"branched": True},
    "spanv2": {"branched": True},
    "disp": {"branched": True},
    "efdn": {"branched": True},
    "fmen": {"branched": True},
    "ecbsr": {"branched": True},
}


def stages_of(name: str) -> tuple[Stage, ...]:
    """Return the stages of a baseline's training; the default's one where nothing particular is known."""
    return RECIPES.get(name, (Stage(1.0),))
