"""What cheap scores are worth: networks trained in full, and whether each score puts them in the order of the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from nas.evaluate import Setup
from nas.jobs import Desk
from nas.quality_regression import Example, expected_unseen
from nas.rank_correlation import Ranking, ranking
from nas.rungs import Ladder, Rung, drawn, remove_weights, train_rung
from nas.supernet import score
from search_spaces.architecture import Architecture
from search_spaces.network import build
from search_spaces.supernet import Supernet
from sr.complexity import Complexity, count
from sr.deployment import in_dtype
from sr.errors import InputError
from sr.quality import evaluate
from sr.trainer import TrainingFailedError
from sr.training import fit

SUPERNET = "supernet"
# What one supernet and its scores may cost, as a share of training all networks in full.
SUPERNET_SHARE = 0.08


@dataclass(frozen=True)
class Known:
    """A network trained in full: its PSNR in dB on the validation crops, and what its cheap scores said.

    seconds: of the full training. rungs: as far as they were climbed. supernet_psnr: None before there is a supernet.
    """

    architecture: Architecture
    complexity: Complexity
    psnr: float
    seconds: float
    rungs: tuple[Rung, ...] = ()
    supernet_psnr: float | None = None

    @property
    def cheap_psnr(self) -> dict[str, float]:
        """The cheap PSNRs by the names of their scores."""
        found = {rung_name(index): rung.psnr for index, rung in enumerate(self.rungs)}
        return found if self.supernet_psnr is None else found | {SUPERNET: self.supernet_psnr}

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal one."""
        return {
            "architecture": self.architecture.to_json(),
            "complexity": asdict(self.complexity),
            "psnr": self.psnr,
            "seconds": self.seconds,
            "rungs": [rung.to_json() for rung in self.rungs],
            "supernet_psnr": self.supernet_psnr,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Known":
        """Make what `to_json` described."""
        return cls(
            Architecture.from_json(values["architecture"]),
            Complexity(**values["complexity"]),
            values["psnr"],
            values["seconds"],
            tuple(Rung.from_json(each) for each in values["rungs"]),
            values["supernet_psnr"],
        )


def rung_name(index: int) -> str:
    """Return the name of the PSNR on a rung."""
    return f"rung {index}"


def in_full(desk: Desk, architecture: Architecture, *, ladder: Ladder, folder: Path) -> Known:
    """Train one network in full, and on a second way up the rungs below the top; a killed training goes on.

    The recipe of the desk's setup is settled. Raises InputError where a training fails.
    """
    desk.place()
    setup, state = desk.setup, folder / f"{architecture.key}.state"
    recipe = replace(setup.recipe, steps=ladder.steps[-1])
    rungs = []
    try:
        fitted = fit(drawn(architecture, recipe, None), recipe, setup.train, setup.device, state=state, quiet=True)
        for index in range(ladder.top):
            climbed = train_rung(architecture, index, ladder, setup.recipe, setup.train, setup.device, folder)
            rungs.append(Rung(ladder.steps[index], psnr_of(climbed.network, setup), climbed.seconds))
    except TrainingFailedError as error:
        raise InputError(f"the training of {architecture.summary} failed: {error}; try another --seed") from error
    state.unlink(missing_ok=True)
    remove_weights(folder, [architecture.key])
    complexity = count(build(architecture), setup.lr_size)
    return Known(architecture, complexity, psnr_of(fitted.network, setup), fitted.seconds, tuple(rungs))


def psnr_of(network: torch.nn.Module, setup: Setup) -> float:
    """Return the PSNR on the validation crops in dB."""
    return evaluate(in_dtype(network, setup.dtype), setup.val, setup.device, with_ssim=False).psnr


def scored(known: Sequence[Known], supernet: Supernet, setup: Setup) -> list[Known]:
    """Return every network with what the supernet says of it."""
    scores = [score(supernet, each.architecture, setup.val, setup.device, train=setup.train) for each in known]
    return [replace(each, supernet_psnr=quality.psnr) for each, quality in zip(known, scores, strict=True)]


def rankings(known: Sequence[Known], ladder: Ladder, supernet_share: float | None) -> list[Ranking]:
    """Judge every cheap score by the networks that were trained in full.

    supernet_share: what the supernet cost per network, as a share of a full training; None without one. A regression
    predicts each network from all others: its examples are full trainings, which are not in its share.
    """
    truth = [each.psnr for each in known]
    costs: dict[str, tuple[list[float], float]] = {
        name: ([float(getattr(each.complexity, name)) for each in known], 0.0)
        for name in ("params", "multi_adds", "activations")
    }
    shares = {rung_name(index): share_of_rungs(known, index) for index in range(ladder.top)}
    if supernet_share is not None:
        shares[SUPERNET] = supernet_share
    raw = {name: ([each.cheap_psnr[name] for each in known], share) for name, share in shares.items()}
    examples = [Example(each.architecture, each.complexity, each.cheap_psnr, each.psnr) for each in known]
    inputs: list[tuple[str, ...]] = [(), *((name,) for name in shares)]
    if supernet_share is not None and ladder.top:
        inputs.append((SUPERNET, rung_name(0)))
    fitted = {
        regression_name(cheap): (expected_unseen(examples, cheap), sum(shares[name] for name in cheap))
        for cheap in inputs
    }
    return [ranking(name, truth, values, share) for name, (values, share) in (costs | raw | fitted).items()]


def share_of_rungs(known: Sequence[Known], last: int) -> float:
    """Return what the rungs up to `last` took, as a share of what the full trainings took."""
    climbed = sum(rung.seconds for each in known for rung in each.rungs[: last + 1])
    return climbed / sum(each.seconds for each in known)


def regression_name(cheap: Sequence[str]) -> str:
    """Return the name of the regression that reads these cheap PSNRs."""
    return " + ".join(["regression", *cheap])
