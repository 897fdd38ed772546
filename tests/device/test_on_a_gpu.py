"""What only a GPU can show: that graphs, streams and half precision there give what steps one by one give."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines import BASELINES
from baselines import build as build_baseline
from prune.graph.tracing import trace
from prune.scoring.gates import Gated
from prune.scoring.sites import gate_sites
from search_spaces.msrresnet import repeated
from search_spaces.network import build, untrained
from sr.cuda_graph import WARM_UPS
from sr.data.pairs import Pairs
from sr.deployment import deploy
from sr.measure.engines.registry import ENGINES
from sr.measure.gpu import current
from sr.measure.measurement import measure
from sr.measure.quality import evaluate
from sr.measure.target import Target
from sr.training.autotune import autotune
from sr.training.fit import fit
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
GPU = torch.device("cuda", 0)
RECIPE = Recipe(steps=12, batch=2, patch=8, warmup_steps=2, precision="float32", memory_format="contiguous")
# Of float32 sums in another order, after some steps of Adam.
ROUNDING = 1e-3


def network(*, norm: bool = False) -> nn.Module:
    torch.manual_seed(0)
    between = [nn.BatchNorm2d(8)] if norm else []
    # Before a norm a bias has no gradient but rounding, which Adam takes for one.
    first = nn.Conv2d(3, 8, 3, padding=1, bias=not norm)
    return nn.Sequential(first, *between, nn.ReLU(), nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4))


def unlike(pairs: Pairs) -> Pairs:
    """Return pairs whose HR no network makes of their LR."""
    hr = pairs.hr.values.roll(1)
    return replace(pairs, hr=replace(pairs.hr, values=hr))


def losses(made: Trainer, steps: int) -> list[float]:
    """Return the losses of steps."""
    with current(GPU):
        return torch.stack([made.step() for _ in range(steps)]).tolist()


@pytest.mark.parametrize(
    "option",
    [
        {}, {"ema_decay": 0.9}, {"optimiser": "adamw", "weight_decay": 1e-2}, {"clip_norm": 0.0},
        {"loss": "l1_gradient"},
        {"schedule": "triangular"}, {"memory_format": "channels_last"}, {"distillation": 0.5},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("resident", [True, False])
def test_captured_steps_are_those_that_a_cpu_takes(pairs: Pairs, option: dict[str, Any], resident: bool) -> None:
    recipe = replace(RECIPE, **option)
    teacher = network() if recipe.distillation else None
    here = Trainer(network(norm=True), recipe, pairs, torch.device("cpu"), teacher=teacher)
    there = Trainer(network(norm=True), recipe, pairs.to(GPU) if resident else pairs, GPU, teacher=teacher)
    expected = torch.stack([here.step() for _ in range(recipe.steps)]).tolist()
    assert losses(there, recipe.steps) == pytest.approx(expected, rel=ROUNDING)
    assert there.execution == "graph"
    for name, value in here.trained().state_dict().items():
        assert torch.allclose(there.trained().state_dict()[name].cpu(), value, atol=3e-3), name


def test_training_goes_on_from_its_state_with_the_rate_and_the_average(pairs: Pairs) -> None:
    recipe = replace(RECIPE, ema_decay=0.9)
    straight, first, second = (Trainer(network(), recipe, pairs.to(GPU), GPU) for _ in range(3))
    whole = losses(straight, 12)
    losses(first, 6)
    second.restore(first.state())
    assert losses(second, 6) == pytest.approx(whole[6:], rel=ROUNDING)


def test_bfloat16_and_float16_train(pairs: Pairs) -> None:
    expected = losses(Trainer(network(), RECIPE, pairs.to(GPU), GPU), 12)
    for precision, execution in (("bfloat16", "graph"), ("float16", "eager")):
        made = Trainer(network(), replace(RECIPE, precision=precision), pairs.to(GPU), GPU)
        assert losses(made, 12) == pytest.approx(expected, rel=0.1)
        assert made.execution == execution


class Asks(nn.Module):
    """A network that waits for the device in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.body = network()

    def forward(self, lr: Tensor) -> Tensor:
        sr: Tensor = self.body(lr)
        return sr if sr.abs().sum().item() >= 0 else sr * 2


def test_network_that_waits_for_the_device_trains_kernel_by_kernel(pairs: Pairs) -> None:
    here = Trainer(network(), RECIPE, pairs, torch.device("cpu"))
    there = Trainer(Asks(), RECIPE, pairs.to(GPU), GPU)
    assert losses(there, 12) == pytest.approx([here.step().item() for _ in range(12)], rel=ROUNDING)
    assert there.execution == "eager"


def test_gates_are_scored_by_every_captured_step(pairs: Pairs) -> None:
    graph = trace(build_baseline("rfdn", num_feat=8, num_block=1))
    scores = []
    for device in (torch.device("cpu"), GPU):
        torch.manual_seed(0)
        gated = Gated(graph, gate_sites(graph, subpixels=False), gate_penalty=0.1)
        gated.train_gates_alone(alone=True)
        made = Trainer(gated, replace(RECIPE, patch=16), pairs.to(device), device)
        with current(device):
            for _ in range(WARM_UPS + 4):
                made.step()
        scores.append(gated.scores())
    here, there = ([torch.as_tensor(each) for each in made] for made in scores)
    for one, other in zip(here, there, strict=True):
        assert torch.allclose(one, other, rtol=0.05, atol=1e-5)


def test_memory_of_a_trainer_comes_back(pairs: Pairs) -> None:
    held = pairs.to(GPU)
    for _ in range(2):
        losses(Trainer(network(), RECIPE, held, GPU), 6)
    before = torch.cuda.memory_allocated(GPU)
    losses(Trainer(network(), RECIPE, held, GPU), 6)
    assert torch.cuda.memory_allocated(GPU) == before


def test_fit_tunes_trains_solves_and_evaluates(pairs: Pairs) -> None:
    recipe = replace(RECIPE, steps=40, precision="fastest", memory_format="fastest", solve_output=True, ema_decay=0.9)
    fitted = fit(untrained(repeated(8, "residual_leaky", 1)), recipe, pairs.to(GPU), GPU)
    assert fitted.execution == "graph"
    judged_on = unlike(pairs)
    here = evaluate(fitted.network.cpu(), judged_on, torch.device("cpu"))
    there = evaluate(fitted.network.to(GPU), judged_on, GPU)
    assert (there.psnr, there.psnr_y, there.ssim) == pytest.approx((here.psnr, here.psnr_y, here.ssim), abs=2e-3)
    assert autotune(network(), replace(RECIPE, precision="fastest"), pairs, GPU).precision in ("float32", "bfloat16")


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_network_gives_the_same_in_a_graph_and_on_a_cpu(name: str) -> None:
    torch.manual_seed(0)
    made = deploy(build_baseline(name)).eval()
    lr = torch.rand(1, 3, 24, 32)
    with torch.inference_mode():
        expected = made(lr)
    for execution in ("eager", "graph"):
        runner = ENGINES["torch"].prepare(made, Target(GPU, (24, 32), execution=execution), [lr])
        with current(GPU):
            output = runner.execute()
            torch.cuda.synchronize()
        assert isinstance(output, Tensor)
        assert runner.execution == execution
        assert torch.allclose(output.cpu(), expected, atol=1e-3 * expected.abs().max().item()), execution


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_runtime_is_measured_in_graphs_with_the_gpu_watched(dtype: str) -> None:
    target = Target(GPU, (64, 64), dtype)
    measured = measure({"small": build(repeated(16, "residual_leaky", 2)).eval()}, target)["small"]
    assert measured.runtime.execution == "graph"
    assert measured.runtime.median_ms > 0
    assert measured.memory > 0
