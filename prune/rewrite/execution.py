"""How each convolution gets at its channels of a wider tensor: chosen by measuring in the engine that will run it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from prune.graph.layouts import Layout, within
from prune.graph.operators.convolutions import Conv, conv_like
from prune.graph.plan import CHANNEL_ACCESSES, ChannelAccess, Execution, Plan, Side
from prune.rewrite.layers import Accumulate, ContiguousSlice, Gather, as_slice
from prune.rewrite.surgery import Surgery
from prune.selection.costs import Costs
from prune.selection.framed import Framed, work_of
from sr.measure.device_lock import measuring_on
from sr.measure.target import Target
from sr.measure.timing import best_ms
from sr.measure.timing_cache import TimeWorks

Size = tuple[int, int]
_FLOAT_BYTES = 4
# An access is worth choosing over a simpler one only where it is faster by this share.
WORTH = 0.02


@dataclass(frozen=True)
class Choice:
    """How one side of a convolution gets at its channels, and why.

    Attributes:
        conv: The name of the convolution.
        side: Which side it is.
        access: How it gets at them.
        ms: What each access took with the convolution; one entry where there was nothing to choose.
        kept: How many channels the plan keeps there.
        touched: How many are computed.
        whole: How many the tensor has.
        area: The pixels of the tensor.
    """

    conv: str
    side: Side
    access: ChannelAccess
    ms: dict[ChannelAccess, float]
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
        """Bytes of a copy that the access needs beside the convolution, in float32."""
        return 0 if self.access != "gather" else _FLOAT_BYTES * self.kept * self.area

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; files of earlier versions have the access under `reach`, and so do all."""
        return {"reach" if name == "access" else name: value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Choice":
        """Read what `to_json` gave; raises TypeError where it is something else."""
        return cls(**{"access" if name == "reach" else name: value for name, value in values.items()})


@dataclass(frozen=True)
class Measurer:
    """Times networks and single places of a convolution under the conditions that it will run in.

    Attributes:
        target: Where, in which engine and dtype.
        memory_format: A key of `sr.memory_format.MEMORY_FORMATS`.
        time_works: Returns the milliseconds of each of some works, run on a device.
        known: What was measured, by shape: it holds for all places of that shape.
    """

    target: Target
    memory_format: str
    time_works: TimeWorks = best_ms
    known: dict[tuple[object, ...], tuple[ChannelAccess, dict[ChannelAccess, float]]] = field(default_factory=dict)

    def upscaling(self, network: nn.Module) -> Callable[[], object]:
        """Return a run of a network on one picture, in the target's engine."""
        return work_of(network, self.target, self.memory_format)

    def work(self, step: nn.Module, tensors: Sequence[tuple[int, Size]], outputs: int) -> Callable[[], object]:
        """Return a run of a part of a network, as within one; tensors: the channels and the size of what it takes."""
        generator = torch.Generator().manual_seed(0)
        pictures = [torch.rand(1, 3, *size, generator=generator) for _, size in tensors]
        framed = Framed(step, [channels for channels, _ in tensors], outputs)
        return work_of(framed, self.target, self.memory_format, pictures)

    def fastest(
        self, works: Mapping[ChannelAccess, Callable[[], object]]
    ) -> tuple[ChannelAccess, dict[ChannelAccess, float]]:
        """Return the fastest access and what each took; the earlier of two that are equally fast."""
        with measuring_on(self.target.device), torch.inference_mode():
            times = dict(zip(works, self.time_works(list(works.values()), self.target.device), strict=True))
        least = min(times.values())
        return next(access for access, ms in times.items() if ms <= least * (1 + WORTH)), times


def choose_execution(plan: Plan, costs: Costs, measurer: Measurer, *, exact: bool = False) -> tuple[Plan, list[Choice]]:
    """Choose the fastest way to run each convolution on this device.

    Args:
        plan: What is kept, in which orders.
        costs: Of the dense network; they know the sizes of its tensors.
        measurer: What times on the device.
        exact: Only take what computes nothing beyond the plan, whatever that costs.

    Returns:
        The plan with its execution, and why it is that.
    """
    return _Chooser(costs, plan, measurer, exact=exact).choose()


def describe(choices: Sequence[Choice]) -> list[str]:
    """Return lines on how the convolutions get at their channels, and what that wastes and copies."""
    counts = Counter(choice.access for choice in choices)
    by_access = ", ".join(f"{counts[access]} by {access}" for access in CHANNEL_ACCESSES)
    wasted, touched = sum(choice.wasted for choice in choices), sum(choice.touched for choice in choices)
    copied = sum(choice.copied_bytes for choice in choices) / 1e6
    return [
        f"of {len(choices)} places where a convolution meets a wider tensor: {by_access}",
        f"{wasted} of the {touched} channels computed there are beyond the plan (they are trained too); "
        f"gathers copy {copied:.1f} MB a picture",
    ]


@dataclass(frozen=True)
class _Place:
    """Where a convolution meets a tensor.

    have: the channels of the tensor; wanted: those of them that are kept; size: of the tensor; others: the number of
    channels on the convolution's other side.
    """

    conv: str
    side: Side
    have: Layout
    wanted: Layout
    size: tuple[int, int]
    others: int


class _Added(nn.Module):
    """A convolution that is added to a part of a tensor."""

    def __init__(self, conv: nn.Conv2d, channels: int, places: Sequence[int]) -> None:
        super().__init__()
        self.conv = conv
        self.total = Accumulate(channels, [range(channels), places], base=0, in_place=True)

    def forward(self, total: Tensor, x: Tensor) -> Tensor:
        """Return the sum (1, channels, h, w)."""
        return self.total(total, self.conv(x))  # type: ignore[no-any-return]


class _Chooser:
    """Chooses for one convolution after another."""

    def __init__(self, costs: Costs, plan: Plan, measurer: Measurer, *, exact: bool) -> None:
        self._costs, self._plan, self._measurer, self._exact = costs, plan, measurer, exact
        # The layouts of the tensors between depend only a little on how they are accessed: those of exact channels.
        exactly = {name: Execution("gather", "gather") for name in plan.kept}
        self._surgery = Surgery(costs.graph, replace(plan, execution=exactly))
        self._surgery.operate()

    def choose(self) -> tuple[Plan, list[Choice]]:
        """Return the plan with the fastest execution of every convolution, and the choices."""
        execution, choices = {}, []
        for name, node in self._costs.graph.convs().items():
            if name not in self._surgery.conv_layouts or not isinstance(self._costs.graph.operators[node], Conv):
                continue
            reads, writes = self._inputs(name, node), self._outputs(name, node)
            choices += [choice for choice in (reads, writes) if choice is not None]
            execution[name] = Execution(reads.access if reads else "slice", writes.access if writes else "slice")
        return replace(self._plan, execution=execution), choices

    def _inputs(self, name: str, node: fx.Node) -> Choice | None:
        """Choose how a convolution reads, None where it reads all that there is."""
        have = self._surgery.layouts[self._costs.graph.operators[node].operands[0]]
        wanted, written = self._surgery.conv_layouts[name]
        place = _Place(name, "inputs", have, wanted, self._costs.places[name].read_size, len(written))

        def work(layout: Layout) -> Callable[[], object]:
            conv = conv_like(self._costs.graph.conv(node), len(layout), place.others)
            step = nn.Sequential(picker(have, layout), conv).float()
            return self._measurer.work(step, [(len(have), place.size)], place.others)

        return self._chosen(place, work)

    def _outputs(self, name: str, node: fx.Node) -> Choice | None:
        """Choose how a convolution writes, None where it writes all that there is or is added to nothing."""
        target = self._surgery.target(node)
        read, wanted = self._surgery.conv_layouts[name]
        stands = self._costs.places[name]
        place = _Place(name, "outputs", target, wanted, stands.size, len(read))

        def work(layout: Layout) -> Callable[[], object]:
            conv = conv_like(self._costs.graph.conv(node), place.others, len(layout))
            step = _Added(conv, len(target), [target.index(channel) for channel in layout]).float()
            tensors = [(len(target), stands.size), (place.others, stands.read_size)]
            return self._measurer.work(step, tensors, len(target))

        return self._chosen(place, work)

    def _chosen(self, place: _Place, work: Callable[[Layout], Callable[[], object]]) -> Choice | None:
        """Time the accesses that differ and keep the fastest."""
        have, wanted, size = place.have, place.wanted, place.size
        if set(have) <= set(wanted):
            return None
        differing: dict[Layout, ChannelAccess] = {}
        for access in ("slice", "fold", "gather"):
            layout = within(have, wanted, access)
            if not self._exact or len(layout) == len(wanted):
                differing.setdefault(layout, access)
        positions = tuple(have.index(channel) for channel in wanted)
        conv = self._costs.graph.conv(self._costs.graph.convs()[place.conv])
        key = (place.side, len(have), positions, size, place.others, conv.kernel_size, conv.stride, self._exact)
        known = self._measurer.known
        if key not in known:
            known[key] = self._measurer.fastest({access: work(layout) for layout, access in differing.items()})
        access, times = known[key]
        touched = len(within(have, wanted, access))
        return Choice(place.conv, place.side, access, times, len(wanted), touched, len(have), size[0] * size[1])


def picker(have: Layout, layout: Layout) -> nn.Module:
    """Return the module that takes a part of a tensor's channels."""
    places = [have.index(channel) for channel in layout]
    contiguous = as_slice(places)
    if contiguous == (0, len(have)):
        return nn.Identity()
    return Gather(places) if contiguous is None else ContiguousSlice(*contiguous)
