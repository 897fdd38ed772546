"""The end of a search: the finalist measured again beside hand-designed networks, trained longer, and shipped."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

import baselines
from nas.evaluate import REFERENCE, Setup
from nas.trial import Trial, trained_once
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.complexity import count
from sr.data import Pairs
from sr.deployment import deploy
from sr.export import export_onnx
from sr.files import write_json
from sr.latency import Protocol, Runtime, conditions, measure_runtimes
from sr.measurement import Measurement
from sr.quality import Quality, bicubic_quality, evaluate
from sr.training import Recipe, fit, settle

FINALISTS = 3
# The challenge's baseline and winner, and the winner of the year before: what every newcomer is compared with.
RIVALS = ("msrresnet", "imdn", "rfdn")


@dataclass(frozen=True)
class Chosen:
    """The network that a search ends with.

    trial: as searched. beside: measured in the same rounds as `references`, the hand-designed networks by name.
    measurement: runtime of the trained network and its quality on all validation pictures. bicubic: theirs.
    """

    trial: Trial
    beside: Measurement
    references: Mapping[str, Measurement]
    recipe: Recipe
    measurement: Measurement
    bicubic: Quality


def pick(trials: Sequence[Trial], setup: Setup) -> tuple[Trial, Measurement, dict[str, Measurement]] | None:
    """Return the trial with the best PSNR that is within the budget when measured again; None where none is.

    With it come that measurement and those of the rivals: finalists are measured a few at a time, all in the same
    rounds.
    """
    ranked = sorted(trained_once(trials), key=lambda trial: -trial.psnr)
    for start in range(0, len(ranked), FINALISTS):
        finalists = {f"#{trial.number}": trial for trial in ranked[start : start + FINALISTS]}
        networks = {name: build(trial.architecture) for name, trial in finalists.items()}
        measured = measure_beside(networks, setup)
        for name, trial in finalists.items():
            if measured[name].within(setup.budget_ms):
                return trial, measured[name], {rival: measured[rival] for rival in RIVALS if rival in measured}
    return None


def measure_beside(networks: Mapping[str, nn.Module], setup: Setup) -> dict[str, Measurement]:
    """Measure networks in the same rounds as the reference and the rivals, without these where memory is too small."""
    rivals: dict[str, nn.Module] = {name: baselines.build(name) for name in RIVALS}
    everything = {**networks, REFERENCE: build(setup.reference)}
    protocol = Protocol(seconds=2.0, minimum_runs=30, hopeless_ms=2 * setup.budget_ms)
    try:
        runtimes = timed({**everything, **rivals}, setup, protocol)
        everything |= rivals
    except torch.OutOfMemoryError:
        runtimes = timed(everything, setup, protocol)
    place = conditions(setup.device, setup.lr_size, setup.dtype)
    reference_ms = runtimes[REFERENCE].median_ms
    return {
        name: Measurement(count(network, setup.lr_size), runtimes[name], place, reference_ms)
        for name, network in everything.items()
    }


def timed(networks: Mapping[str, nn.Module], setup: Setup, protocol: Protocol) -> dict[str, Runtime]:
    """Measure under the setup's conditions."""
    return measure_runtimes(networks, setup.device, lr_size=setup.lr_size, dtype=setup.dtype, protocol=protocol)


def final_recipe(trial: Trial, setup: Setup, seconds: float, steps: int | None) -> Recipe:
    """Return the recipe of the long training: `steps`, or as many as fit into `seconds` on this device."""
    recipe = replace(setup.recipe, steps=steps or setup.recipe.steps)
    settled, seconds_per_step = settle(build(trial.architecture), recipe, setup.train, setup.device)
    if steps is None and math.isfinite(seconds):
        return replace(settled, steps=max(setup.recipe.steps, int(seconds / seconds_per_step)))
    return settled if steps is not None else replace(settled, steps=10 * setup.recipe.steps)


def train_and_ship(
    trial: Trial, beside: Measurement, references: Mapping[str, Measurement],
    recipe: Recipe, setup: Setup, val: Pairs, folder: Path,
) -> Chosen:  # fmt: skip
    """Train the chosen network, going on from `folder`/training.state where one is, measure it, and write it out.

    Leaves network.pth (deployed form), architecture.json, measurement.json and network.onnx in `folder`.
    """
    torch.manual_seed(recipe.seed)
    state = folder / "training.state"
    fitted = fit(build(trial.architecture), recipe, setup.train, setup.device, state=state, label="training the chosen")
    quality = evaluate(fitted.network, val, setup.device)
    bicubic = bicubic_quality(val, setup.device)
    network = deploy(fitted.network).cpu()
    protocol = Protocol(seconds=3.0, minimum_runs=50, hopeless_ms=4 * setup.budget_ms)
    runtimes = timed({"chosen": network, REFERENCE: build(setup.reference)}, setup, protocol)
    measurement = Measurement(
        complexity=count(network, setup.lr_size),
        runtime=runtimes["chosen"],
        conditions=conditions(setup.device, setup.lr_size, setup.dtype),
        reference_ms=runtimes[REFERENCE].median_ms,
        quality=quality,
    )
    description = Description("searched", trial.architecture.to_json())
    save(
        folder / "network.pth",
        Checkpoint(description, network.state_dict(), deployed=True, recipe=asdict(fitted.recipe),
                   provenance={"data": f"{len(setup.train)} training pictures", "trial": str(trial.number)}),
    )  # fmt: skip
    write_json(folder / "architecture.json", trial.architecture.to_json())
    write_json(folder / "measurement.json", measurement.to_json() | {"bicubic": asdict(bicubic)})
    export_onnx(network, folder / "network.onnx")
    state.unlink(missing_ok=True)
    return Chosen(trial, beside, references, fitted.recipe, measurement, bicubic)
