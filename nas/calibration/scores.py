"""What cheap scores are worth: networks trained in full, and whether each score puts them in the order of the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from nas.calibration.ranking import Ranking, ranking
from nas.evaluate import Setup
from nas.predictors.psnr_regression import Example, expected_unseen
from nas.successive_halving import Ladder, Rung
from nas.training.rung_training import initial_network, remove_weights, train_to_rung
from nas.training.supernet import score
from nas.training.worker_state import WorkerState
from search_spaces.architecture import Architecture
from search_spaces.network import build
from search_spaces.supernet import Supernet
from sr.errors import InputError
from sr.measure.complexity import Complexity, count
from sr.measure.engines.network import as_judged
from sr.measure.quality import evaluate
from sr.training.fit import fit
from sr.training.trainer import TrainingFailedError

_SUPERNET = "supernet"


@dataclass(frozen=True)
class TrainedNetwork:
    """A network trained in full, and what its cheap scores said.

    Attributes:
        architecture: Which.
        complexity: Its counts.
        psnr: On the validation crops, dB.
        seconds: Of the full training.
        rungs: Those below the full training, each trained from the one before.
        supernet_psnr: What the supernet's weights reach, dB; None before there is a supernet.
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
        return found if self.supernet_psnr is None else found | {_SUPERNET: self.supernet_psnr}

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
    def from_json(cls, values: Mapping[str, Any]) -> "TrainedNetwork":
        """Make what `to_json` described; raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            Architecture.from_json(values["architecture"]),
            Complexity(**values["complexity"]),
            values["psnr"],
            values["seconds"],
            tuple(Rung.from_json(each) for each in values["rungs"]),
            values["supernet_psnr"],
        )


def train_in_full(worker: WorkerState, architecture: Architecture, *, ladder: Ladder, folder: Path) -> TrainedNetwork:
    """Train one network in full, and apart from that rung by rung below the top; a killed training goes on.

    Args:
        worker: Holds the setup, whose recipe is autotuned.
        architecture: What is trained.
        ladder: Its last rung is the full training.
        folder: Where unfinished trainings lie; nothing is left there.

    Raises:
        InputError: Where a training fails.
    """
    worker.place()
    setup, state = worker.setup, folder / f"{architecture.key}.state"
    recipe = replace(setup.recipe, steps=ladder.steps[-1])
    rungs = []
    try:
        fitted = fit(initial_network(architecture, recipe, None), recipe, setup.train, setup.target.device, state=state)
        for index in range(ladder.top):
            partly = train_to_rung(architecture, index, ladder, setup.recipe, setup.train, setup.target.device, folder)
            rungs.append(Rung(ladder.steps[index], _psnr_of(partly.network, setup), partly.seconds))
    except TrainingFailedError as error:
        raise InputError(f"the training of {architecture.summary} failed: {error}; try another --seed") from error
    state.unlink(missing_ok=True)
    remove_weights(folder, [architecture.key])
    complexity = count(build(architecture), setup.target.lr_size)
    return TrainedNetwork(architecture, complexity, _psnr_of(fitted.network, setup), fitted.seconds, tuple(rungs))


def with_supernet_scores(networks: Sequence[TrainedNetwork], supernet: Supernet, setup: Setup) -> list[TrainedNetwork]:
    """Return every network with the PSNR that the supernet's weights give it."""
    scores = [
        score(supernet, each.architecture, setup.val, setup.target.device, train=setup.train) for each in networks
    ]
    return [replace(each, supernet_psnr=quality.psnr) for each, quality in zip(networks, scores, strict=True)]


def rank_scores(networks: Sequence[TrainedNetwork], ladder: Ladder, supernet_share: float | None) -> list[Ranking]:
    """Judge every cheap score by the networks that were trained in full.

    Args:
        networks: With their cheap scores.
        ladder: Of the rungs.
        supernet_share: What the supernet cost per network, as a share of a full training; None without one. A
            regression predicts each network from all others: its examples are full trainings, which are not in its
            share.
    """
    truth = [each.psnr for each in networks]
    costs: dict[str, tuple[list[float], float]] = {
        name: ([float(getattr(each.complexity, name)) for each in networks], 0.0)
        for name in ("params", "multi_adds", "activations")
    }
    shares = {rung_name(index): _share_of_rungs(networks, index) for index in range(ladder.top)}
    if supernet_share is not None:
        shares[_SUPERNET] = supernet_share
    raw = {name: ([each.cheap_psnr[name] for each in networks], share) for name, share in shares.items()}
    examples = [Example(each.architecture, each.complexity, each.cheap_psnr, each.psnr) for each in networks]
    inputs: list[tuple[str, ...]] = [(), *((name,) for name in shares)]
    if supernet_share is not None and ladder.top:
        inputs.append((_SUPERNET, rung_name(0)))
    predicted = {
        regression_name(cheap): (expected_unseen(examples, cheap), sum(shares[name] for name in cheap))
        for cheap in inputs
    }
    return [ranking(name, truth, values, share) for name, (values, share) in (costs | raw | predicted).items()]


def rung_name(index: int) -> str:
    """Return the name of the PSNR on a rung."""
    return f"rung {index}"


def regression_name(cheap: Sequence[str]) -> str:
    """Return the name of the regression that reads these cheap PSNRs."""
    return " + ".join(["regression", *cheap])


def _psnr_of(network: nn.Module, setup: Setup) -> float:
    """Return the PSNR on the validation crops in dB."""
    return evaluate(as_judged(network, setup.target), setup.val, setup.target.device, with_ssim=False).psnr


def _share_of_rungs(networks: Sequence[TrainedNetwork], last: int) -> float:
    """Return what the rungs up to `last` took, as a share of what the full trainings took."""
    taken = sum(rung.seconds for each in networks for rung in each.rungs[: last + 1])
    return taken / sum(each.seconds for each in networks)
