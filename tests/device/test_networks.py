"""Every network on a device that is no CPU, forward and backward: none leaves a constant behind."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from baselines import BASELINES, build
from nas.training.population import Population
from nas.training.sandwich import Sandwich
from nas.training.supernet import inherited, recalibrate
from prune.graph.liveness import everything
from prune.graph.plan import Plan
from prune.graph.tracing import trace
from prune.rewrite.surgery import slim
from prune.scoring.gates import Gated
from prune.scoring.sites import gate_sites
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.kinds import BLOCKS, WITHOUT_NORM
from search_spaces.msrresnet import repeated
from search_spaces.network import build as build_searched
from search_spaces.network import untrained
from search_spaces.supernet import Supernet
from sr.data.pairs import Pairs
from sr.deployment import deploy
from sr.measure.engines.registry import ENGINES
from sr.measure.quality import bicubic_quality, evaluate
from sr.measure.target import Target
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer
from tests.baselines.small import small

RECIPE = Recipe(steps=3, batch=2, patch=8, warmup_steps=1, precision="float32", memory_format="contiguous")
BLOCK_KINDS = [
    (kind, norm) for kind in BLOCKS for norm in ("none", "batch") if norm == "none" or kind not in WITHOUT_NORM
]


def forward_and_back(network: nn.Module, gpu: torch.device, channels: int = 3, side: int = 16) -> None:
    """Run a network on the device in training and in evaluation."""
    network.to(gpu).train()
    sr = network(torch.zeros(2, channels, side, side, device=gpu))
    assert sr.device == gpu
    if sr.requires_grad:
        sr.sum().backward()
    with torch.inference_mode():
        network.eval()(torch.zeros(1, channels, side, side, device=gpu))


def shortened(architecture: Architecture) -> Architecture:
    """Return the first two blocks of an architecture: more of them show nothing else."""
    return replace(architecture, blocks=architecture.canonical.blocks[:2])


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_baseline_in_training_and_deployed(gpu: torch.device, name: str) -> None:
    network = small(name)
    deployed = deploy(network)
    forward_and_back(network, gpu)
    with torch.inference_mode():
        assert deployed.to(gpu)(torch.zeros(1, 3, 16, 16, device=gpu)).device == gpu


@pytest.mark.parametrize(("kind", "norm"), BLOCK_KINDS)
def test_block(gpu: torch.device, kind: str, norm: str) -> None:
    forward_and_back(BLOCKS[kind](8, norm), gpu, channels=8)


@pytest.mark.parametrize("space", sorted(SPACES))
def test_seeds_of_every_space(gpu: torch.device, space: str) -> None:
    for seed in SPACES[space].seeds[:3]:
        network = untrained(shortened(seed))
        deployed = deploy(network)
        forward_and_back(network, gpu)
        deployed.to(gpu)(torch.zeros(1, 3, 16, 16, device=gpu))


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_supernet_and_what_is_taken_out_of_it(gpu: torch.device, pairs: Pairs, norm: str) -> None:
    space = next(each for each in SPACES.values() if each.norm == norm)
    ends = [shortened(space.seeds[0])] * 2
    feats = max(each.num_feat for each in ends)
    positions = len(ends[0].blocks)
    population = Population(lambda _: ends[0], ends[0], ends[1], feats, positions)
    sandwich = Sandwich(Supernet(space, feats, positions), population)
    trainer = Trainer(sandwich, RECIPE, pairs, gpu)
    for _ in range(2):
        trainer.step()
    network = inherited(sandwich.supernet, ends[0])
    assert all(each.device == gpu for each in network.state_dict().values())
    recalibrate(network, pairs, gpu)


@pytest.mark.parametrize("name", ["msrresnet", "rfdn"])
def test_gates_are_scored_masked_and_folded(gpu: torch.device, pairs: Pairs, name: str) -> None:
    graph = trace(build(name, num_feat=8, num_block=1))
    gated = Gated(graph, gate_sites(graph, subpixels=False), gate_penalty=0.1)
    trainer = Trainer(gated, replace(RECIPE, patch=16), pairs, gpu)
    gated.train_gates_alone(alone=True)
    trainer.step()
    assert len(gated.scores()) == len(gated.sites)
    gated.mask(everything(graph))
    gated.train_gates_alone(alone=False)
    trainer.step()
    gated.alive()
    slimmed = slim(graph, Plan(everything(graph), {}, {}))
    forward_and_back(slimmed, gpu)


def test_quality_of_pictures_that_lie_on_the_cpu(gpu: torch.device, pairs: Pairs) -> None:
    network = build_searched(repeated(8, "residual_leaky", 1)).to(gpu)
    assert evaluate(network, pairs, gpu, with_ssim=False).pictures == len(pairs)
    bicubic_quality(pairs, gpu, with_ssim=False)


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_torch_prepares_and_runs_there(gpu: torch.device, memory_format: str, dtype: str) -> None:
    target = Target(gpu, (16, 24), dtype)
    network = build_searched(Architecture.from_json(repeated(8, "residual_leaky", 1).to_json()))
    runner = ENGINES["torch"].prepare(deploy(network), target, memory_format=memory_format)
    assert runner.precision == dtype
    assert runner.run_ms() > 0
    assert runner.run().device == gpu
    assert runner.run(torch.zeros(1, 3, 16, 24)).device.type == "cpu"
