"""How each convolution gets at its channels of a wider tensor: chosen by measuring on the device it will run on."""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, fx, nn

from prune.costs import Costs
from prune.cuts import Layout, like, within
from prune.layers import Accumulate, Gather, Run, as_run
from prune.plan import REACHES, Execution, Plan, Reach, Side
from prune.surgery import Surgery
from sr.deployment import DTYPES
from sr.latency import MEMORY_FORMATS
from sr.lease import measuring_on
from sr.lr_size import LrSize
from sr.timing import best_ms

FLOAT_BYTES = 4
# A way to read channels is worth choosing over a simpler one only where it is faster by this share.
WORTH = 0.02


@dataclass(frozen=True)
class Choice:
    """How one side of a convolution reaches its channels, and why.

    ms: what each way took with the convolution, by way; one entry where there was nothing to choose. kept, touched,
    whole: channels that the plan keeps there, that are computed, and that the tensor has. area: pixels of the tensor.
    """

    conv: str
    side: Side
    reach: Reach
    ms: dict[Reach, float]
    kept: int
    touched: int
    whole: int
    area: int

    @property
    def wasted(self) -> int:
        """Channels that are computed with weights of zero; they may be trained."""
        return self.touched - self.kept

    @property
    def copied_bytes(self) -> int:
        """Bytes of a copy that the way needs beside the convolution, in float32."""
        return 0 if self.reach != "gather" else FLOAT_BYTES * self.kept * self.area


@dataclass(frozen=True)
class Measurer:
    """Times the ways to run a convolution under the conditions that it will run in.

    known: what was measured, by shape: it holds for all places of that shape.
    """

    device: torch.device
    dtype: str
    memory_format: str
    known: dict[tuple[object, ...], tuple[Reach, dict[Reach, float]]] = field(default_factory=dict)

    def pictures(self, channels: int, size: tuple[int, int]) -> Tensor:
        """Return a random tensor (1, channels, height, width)."""
        values = torch.rand(1, channels, *size, device=self.device, dtype=DTYPES[self.dtype])
        return values.contiguous(memory_format=MEMORY_FORMATS[self.memory_format])

    def placed(self, module: nn.Module) -> nn.Module:
        """Return the module where and as it is to be timed."""
        return module.to(self.device, DTYPES[self.dtype], memory_format=MEMORY_FORMATS[self.memory_format])  # type: ignore[call-overload,no-any-return]

    def upscaling(self, network: nn.Module, lr_size: LrSize) -> Callable[[], Tensor]:
        """Return a run of a copy of a network on one picture."""
        placed, lr = self.placed(copy.deepcopy(network)), self.pictures(3, lr_size)
        return lambda: placed(lr)

    def fastest(self, works: dict[Reach, Callable[[], Tensor]]) -> tuple[Reach, dict[Reach, float]]:
        """Return the fastest way and what each took; the earlier of two that are equally fast."""
        with measuring_on(self.device), torch.inference_mode():
            times = dict(zip(works, best_ms(list(works.values()), self.device), strict=True))
        least = min(times.values())
        return next(reach for reach, ms in times.items() if ms <= least * (1 + WORTH)), times


class Chooser:
    """Chooses for one convolution after another."""

    def __init__(self, costs: Costs, plan: Plan, measurer: Measurer, *, exact: bool) -> None:
        self.costs, self.plan, self.measurer, self.exact = costs, plan, measurer, exact
        # The layouts of the tensors between depend only a little on how they are reached: those of exact channels.
        reach_exactly = {name: Execution("gather", "gather") for name in plan.kept}
        self.surgery = Surgery(costs.graph, replace(plan, execution=reach_exactly))
        self.surgery.operate()

    def choose(self) -> tuple[Plan, list[Choice]]:
        """Return the plan with the fastest execution of every convolution, and the choices."""
        execution, choices = {}, []
        for name, node in self.costs.graph.convs().items():
            if name not in self.surgery.cuts or self.costs.graph.steps[node].kind == "depthwise":
                continue
            reads, writes = self.inputs(name, node), self.outputs(name, node)
            choices += [choice for choice in (reads, writes) if choice is not None]
            execution[name] = Execution(reads.reach if reads else "slice", writes.reach if writes else "slice")
        return replace(self.plan, execution=execution), choices

    def inputs(self, name: str, node: fx.Node) -> Choice | None:
        """Choose how a convolution reads, None where it reads all that there is."""
        have = self.surgery.layouts[self.costs.graph.steps[node].operands[0]]
        wanted, size = self.surgery.cuts[name][0], self.costs.places[name][1]
        outputs = len(self.surgery.cuts[name][1])

        def work(layout: Layout) -> Callable[[], Tensor]:
            conv = self.measurer.placed(like(self.costs.graph.conv(node), len(layout), outputs))
            pick = self.measurer.placed(picker(have, layout))
            x = self.measurer.pictures(len(have), size)
            return lambda: conv(pick(x))

        return self.chosen(name, "inputs", have, wanted, size, outputs, work)

    def outputs(self, name: str, node: fx.Node) -> Choice | None:
        """Choose how a convolution writes, None where it writes all that there is or is added to nothing."""
        target, wanted = self.surgery.target(node), self.surgery.cuts[name][1]
        size, read_size = self.costs.places[name][2], self.costs.places[name][1]
        inputs = len(self.surgery.cuts[name][0])

        def work(layout: Layout) -> Callable[[], Tensor]:
            conv = self.measurer.placed(like(self.costs.graph.conv(node), inputs, len(layout)))
            places = [range(len(target)), [target.index(channel) for channel in layout]]
            add = self.measurer.placed(Accumulate(len(target), places, base=0, in_place=True))
            x, total = self.measurer.pictures(inputs, read_size), self.measurer.pictures(len(target), size)
            return lambda: add(total, conv(x))

        return self.chosen(name, "outputs", target, wanted, size, inputs, work)

    def chosen(
        self,
        name: str,
        side: Side,
        have: Layout,
        wanted: Layout,
        size: tuple[int, int],
        others: int,
        work: Callable[[Layout], Callable[[], Tensor]],
    ) -> Choice | None:
        """Time the ways that differ and keep the fastest."""
        if set(have) <= set(wanted):
            return None
        ways: dict[Layout, Reach] = {}
        for reach in ("slice", "fold", "gather"):
            layout = within(have, wanted, reach)
            if not self.exact or len(layout) == len(wanted):
                ways.setdefault(layout, reach)
        positions = tuple(have.index(channel) for channel in wanted)
        conv = self.costs.graph.conv(self.costs.graph.convs()[name])
        key = (side, len(have), positions, size, others, conv.kernel_size, conv.stride, self.exact)
        known = self.measurer.known
        if key not in known:
            known[key] = self.measurer.fastest({reach: work(layout) for layout, reach in ways.items()})
        reach, times = known[key]
        touched = len(within(have, wanted, reach))
        return Choice(name, side, reach, times, len(wanted), touched, len(have), size[0] * size[1])


def picker(have: Layout, layout: Layout) -> nn.Module:
    """Return the module that takes a part of a tensor's channels."""
    places = [have.index(channel) for channel in layout]
    run = as_run(places)
    if run == (0, len(have)):
        return nn.Identity()
    return Gather(places) if run is None else Run(*run)


def choose_execution(plan: Plan, costs: Costs, measurer: Measurer, *, exact: bool = False) -> tuple[Plan, list[Choice]]:
    """Return the plan with the fastest way to run each convolution on this device, and why.

    exact: only ways that compute nothing beyond the plan, whatever that costs.
    """
    return Chooser(costs, plan, measurer, exact=exact).choose()


def in_words(choices: Sequence[Choice]) -> list[str]:
    """Say how the convolutions reach their channels, and what that wastes and copies."""
    counts = Counter(choice.reach for choice in choices)
    by_reach = ", ".join(f"{counts[reach]} by {reach}" for reach in REACHES)
    wasted, touched = sum(choice.wasted for choice in choices), sum(choice.touched for choice in choices)
    copied = sum(choice.copied_bytes for choice in choices) / 1e6
    return [
        f"of {len(choices)} places where a convolution meets a wider tensor: {by_reach}",
        f"{wasted} of the {touched} channels computed there are beyond the plan (they are trained too); "
        f"gathers copy {copied:.1f} MB a picture",
    ]
