"""From pruned networks to a comparison: all fine-tuned alike, all measured in the same rounds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from prune.graph.plan import Plan
from prune.network import describe
from prune.outcomes import DENSE, Layer, Outcome
from prune.setup import Setup
from prune.shipping import quality_of
from prune.to_limits import Pruned
from sr.checkpoint import Checkpoint, Description, save
from sr.measure.measurement import Measurement, measure
from sr.progress import Progress
from sr.training.fit import fit
from sr.training.recipe import Recipe


@dataclass(frozen=True)
class Contender:
    """A network of the comparison: the dense one has no `pruned`."""

    name: str
    network: nn.Module
    description: Description
    pruned: Pruned | None = None


def contender(name: str, pruned: Pruned, dense: Description) -> Contender:
    """Return a pruned network as one of the comparison."""
    return Contender(name, pruned.network, describe(dense, pruned.plan), pruned)


def dense_contender(setup: Setup, description: Description) -> Contender:
    """Return the network that all methods began with, run as theirs are: its sums overwritten in place."""
    with torch.no_grad():
        return Contender(DENSE, setup.dense(), describe(description, Plan(setup.kept, {}, {})))


def fine_tuned(
    each: Contender, recipe: Recipe | None, setup: Setup, folder: Path, teacher: nn.Module | None
) -> nn.Module:
    """Train a contender on, the same steps for all, and save it.

    Args:
        each: The contender; its network is trained in place.
        recipe: How; None trains nothing.
        setup: What all methods share.
        folder: Where it is saved, as network.pth, and where a training that was killed goes on from.
        teacher: What a recipe with distillation learns from.

    Returns:
        The network, on the CPU in eval mode.
    """
    network = each.network
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "fine-tuning.state"
    if recipe is not None:
        network = fit(
            network, recipe, setup.train, setup.target.device, state=state, label=f"{each.name}, fine-tuning",
            teacher=teacher, report=setup.report,
        ).network  # fmt: skip
    network = network.cpu().eval()
    trained = {} if recipe is None else asdict(recipe)
    save(folder / "network.pth", Checkpoint(each.description, network.state_dict(), deployed=True, recipe=trained))
    state.unlink(missing_ok=True)
    return network


def compared(contenders: Mapping[str, Contender], setup: Setup) -> tuple[Outcome, ...]:
    """Measure all side by side and judge them; the dense network comes first."""
    networks = {name: each.network for name, each in contenders.items()}
    outcomes = []
    with Progress("comparing", 1 + len(contenders), "part", report=setup.report) as progress:
        progress.step(0, f"runtimes of {len(contenders)} networks side by side")
        measured = measure(networks, setup.target, setup.timing.side_by_side, reference=DENSE)
        progress.step(1, "PSNR")
        for name, each in contenders.items():
            measurement = replace(measured[name], quality=quality_of(each.network, setup))
            outcomes.append(_outcome(each, measurement, setup))
            progress.step(1, "PSNR")
    return tuple(outcomes)


def _outcome(each: Contender, measurement: Measurement, setup: Setup) -> Outcome:
    """Return a contender as reports take it."""
    pruned = each.pruned
    if pruned is None:
        return Outcome(each.name, measurement, (), None)
    return Outcome(each.name, measurement, layers_of(each.network, setup), pruned.difference, pruned.reached)


def layers_of(network: nn.Module, setup: Setup) -> tuple[Layer, ...]:
    """Return every convolution before and after, with what it takes alone on this device."""
    left = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    layers = []
    for name, place in setup.costs.places.items():
        old, new = setup.graph.conv(place.node), left.get(name)
        inputs, outputs = (0, 0) if new is None else (new.in_channels, new.out_channels)
        before = setup.costs.conv_ms(name, old.in_channels, old.out_channels)
        after = None if new is None else setup.costs.conv_ms(name, inputs, outputs)
        layers.append(Layer(name, old.in_channels, old.out_channels, inputs, outputs, before, after))
    return tuple(layers)
