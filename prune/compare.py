"""From pruned networks to a comparison: all fine-tuned alike, all measured in the same rounds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from prune.arms import Pruned, Setup
from prune.network import describe
from prune.plan import Plan
from prune.report import DENSE, Arm, Layer
from sr.checkpoint import Checkpoint, Description, save
from sr.complexity import count
from sr.deployment import in_dtype
from sr.latency import Protocol, conditions, measure_runtimes
from sr.measurement import Measurement
from sr.pairs import Pairs
from sr.quality import evaluate
from sr.recipe import Recipe
from sr.training import fit

SIDE_BY_SIDE = Protocol(seconds=6.0, minimum_runs=12)


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


def fine_tuned(
    each: Contender, recipe: Recipe | None, setup: Setup, folder: Path, teacher: nn.Module | None
) -> nn.Module:
    """Train a contender on, the same steps for all, and save it as `folder`/network.pth; None trains nothing."""
    network = each.network
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "fine-tuning.state"
    if recipe is not None:
        label = f"{each.name}, fine-tuning"
        network = fit(network, recipe, setup.train, setup.device, state=state, label=label, teacher=teacher).network
    network = network.cpu().eval()
    trained = {} if recipe is None else asdict(recipe)
    save(folder / "network.pth", Checkpoint(each.description, network.state_dict(), deployed=True, recipe=trained))
    state.unlink(missing_ok=True)
    return network


def compared(contenders: Mapping[str, Contender], setup: Setup, val: Pairs) -> list[Arm]:
    """Measure all side by side and judge them; the dense network comes first."""
    networks = {name: each.network for name, each in contenders.items()}
    lr_size = setup.costs.lr_size
    runtimes = measure_runtimes(networks, setup.device, lr_size=lr_size, dtype=setup.dtype, protocol=SIDE_BY_SIDE)
    place = conditions(setup.device, lr_size, setup.dtype)
    arms = []
    for name, each in contenders.items():
        quality = evaluate(in_dtype(each.network, setup.dtype).to(setup.device), val, setup.device)
        measurement = Measurement(
            count(each.network.cpu(), lr_size), runtimes[name], place, runtimes[DENSE].median_ms, quality
        )
        pruned = each.pruned
        layers = () if pruned is None else layers_of(each.network, setup)
        arms.append(Arm(name, measurement, layers, None if pruned is None else pruned.difference))
    return arms


def layers_of(network: nn.Module, setup: Setup) -> tuple[Layer, ...]:
    """Return every convolution before and after, with what it takes alone on this device."""
    left = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    layers = []
    for name, (node, _, _) in setup.costs.places.items():
        old, new = setup.graph.conv(node), left.get(name)
        inputs, outputs = (0, 0) if new is None else (new.in_channels, new.out_channels)
        before = setup.costs.conv_ms(name, old.in_channels, old.out_channels)
        after = None if new is None else setup.costs.conv_ms(name, inputs, outputs)
        layers.append(Layer(name, old.in_channels, old.out_channels, inputs, outputs, before, after))
    return tuple(layers)


def dense_contender(setup: Setup, description: Description) -> Contender:
    """Return the network that all arms began with, by the same execution as theirs: its sums overwritten in place."""
    with torch.no_grad():
        return Contender(DENSE, setup.dense(), describe(description, Plan(setup.kept, {}, {})))
