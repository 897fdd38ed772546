"""Channels that go together by torch-pruning's dependency graph: the rival of pruning each convolution by itself.

The library (Fang, Ma, Song, Mi, Wang, "DepGraph: Towards Any Structural Pruning", CVPR 2023) follows autograd's graph.
It takes what it does not know for channel by channel, pixel shuffles among it, so these are taught here. Every answer
is tried out before it is given.
"""

import contextlib
import copy
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from prune.plan import Group, Member, Side
from prune.shuffles import Shuffle, ShufflePruner, map_channels, place_shuffles
from prune.units import check_units, silenced, touched
from sr.errors import InputError

# The second for networks whose attention has nothing to pool in the first.
EXAMPLE_SIDES = (32, 48)
# What the library raises where a network is beyond it; it has no errors of its own.
LIBRARY_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
# Of the largest output value, in float64.
TOLERANCE = 1e-9
INSIDE = "network."


class Graph(tp.DependencyGraph):  # type: ignore[misc]  # the library has no types
    """The library's graph of a network, with pixel shuffles."""

    def __init__(self) -> None:
        super().__init__()
        self.register_customized_layer(Shuffle, ShufflePruner())

    def _build_dependency(self, module2node: dict[Any, Any]) -> None:
        """Teach the library what shuffles are, before it asks any node for its channels and before it maps them."""
        shuffles = place_shuffles(module2node)
        super()._build_dependency(module2node)
        map_channels(shuffles)

    def coupled(self, conv: nn.Module, side: Side, channels: Sequence[int]) -> Any:  # noqa: ANN401 - the library's
        """Return the library's group of all that goes with these channels of a convolution."""
        pruner = self.get_pruner_of_module(conv)
        prune = pruner.prune_out_channels if side == "outputs" else pruner.prune_in_channels
        with quiet():
            return self.get_pruning_group(conv, prune, list(channels))


class Framed(nn.Module):
    """A network between two convolutions that stand for the pictures: what the library couples with these is image.

    seen: the picture read is part of autograd's graph.
    """

    def __init__(self, network: nn.Module, *, seen: bool) -> None:
        super().__init__()
        like = next(network.parameters())
        self.before = nn.Conv2d(3, 3, 1).to(like)
        self.network = network
        self.after = nn.Conv2d(3, 3, 1).to(like)
        self.seen = seen

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w); only the way matters."""
        sr: Tensor = self.after(self.network(self.before(lr) if self.seen else lr))
        return sr


def coupled_groups(network: nn.Module) -> tuple[Group, ...]:
    """Return every group of at least two units of `network`, deployed, that torch-pruning can remove units of.

    Left whole: whatever is coupled with the picture's channels, read or written, and with frozen weights. A group's
    first member is where the library starts: one channel per unit where any has that. Raises InputError where the
    library does not see through the network.
    """
    try:
        groups = tuple(found_groups(network))
    except LIBRARY_FAILURES as error:
        raise beyond(network, str(error) or type(error).__name__) from error
    try_out(network, groups)
    return groups


def magnitude_scores(network: nn.Module, groups: Sequence[Group]) -> tuple[Tensor, ...]:
    """Return torch-pruning's own score of each unit of each group, float32, each group's mean 1 (0 where all is zero).

    The squared L2 norm of a unit's weights per member, averaged over the members, over the mean of the group. The
    library counts no depthwise convolution.
    """
    framed, graph = traced(network)
    importance = tp.importance.GroupMagnitudeImportance(p=2)
    scores = []
    for group in groups:
        root = group.members[0]
        unit_of = {channel: unit for unit, channels in enumerate(root.channels) for channel in channels}
        coupled = graph.coupled(framed.network.get_submodule(root.conv), root.side, list(unit_of))
        for item in coupled:
            # The library adds up by place in the group.
            item.root_idxs = [unit_of[channel] for channel in item.root_idxs]
        scores.append(importance(coupled)[: group.units].nan_to_num(0.0).cpu())
    return tuple(scores)


def removed(network: nn.Module, groups: Sequence[Group], units: Mapping[int, Sequence[int]]) -> nn.Module:
    """Return a copy of `network` from which torch-pruning itself removed `units` (index of a group: its units).

    The copy is in eval mode. Raises InputError where a unit is none of the group's or none of them would be left.
    """
    framed, graph = traced(network)
    convs = {conv: framed.network.get_submodule(conv) for conv in {m.conv for i in units for m in groups[i].members}}
    # The library counts among what is left, and a side may belong to several groups.
    left = {(m.conv, m.side): list(range(width(convs[m.conv], m.side))) for i in units for m in groups[i].members}
    for index, chosen in units.items():
        check_units(index, groups[index], chosen)
        (root, channels), *_ = gone = list(touched(groups, {index: chosen}))
        places = [left[root.conv, root.side].index(channel) for channel in channels]
        if places:
            graph.coupled(convs[root.conv], root.side, places).prune(record_history=False)
        for member, dropped in gone:
            left[member.conv, member.side] = sorted(set(left[member.conv, member.side]) - set(dropped))
    for (conv, side), channels in left.items():
        if width(convs[conv], side) != len(channels):
            raise beyond(network, f"{width(convs[conv], side)} {side} of {conv} are left, {len(channels)} should be")
    return framed.network


def width(conv: nn.Module, side: Side) -> int:
    """Return the number of channels on a side of a convolution."""
    return int(conv.in_channels if side == "inputs" else conv.out_channels)  # type: ignore[arg-type]


def example(network: nn.Module) -> Tensor:
    """Return a random LR picture (1, 3, h, h) that `network` takes, of its dtype and on its device."""
    like = next(network.parameters())
    for side in EXAMPLE_SIDES:
        lr = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(like)
        try:
            with torch.no_grad():
                network(lr)
        except RuntimeError as error:
            refused = error
        else:
            return lr
    raise beyond(network, f"it takes no picture of {EXAMPLE_SIDES[-1]}x{EXAMPLE_SIDES[-1]}: {refused}") from refused


def beyond(network: nn.Module, cause: str) -> InputError:
    """Return the error that torch-pruning cannot prune `network`."""
    said = " ".join(cause.split())
    return InputError(f"torch-pruning cannot prune a {type(network).__name__} ({said}); prune it without groups")


def traced(network: nn.Module) -> tuple[Framed, Graph]:
    """Return a framed copy of `network` and the library's graph of it.

    The picture read is in the graph, so that concatenations with it are understood, unless the library fails on what
    else is done with it.
    """
    try:
        return traced_once(network, seen=True)
    except LIBRARY_FAILURES:
        return traced_once(network, seen=False)


def traced_once(network: nn.Module, *, seen: bool) -> tuple[Framed, Graph]:
    """Return a framed copy of `network` and the library's graph of it, with the picture read in it or without."""
    framed = Framed(copy.deepcopy(network).eval(), seen=seen)
    graph = Graph()
    with torch.enable_grad(), quiet():
        # A tuple: the library would run along a bare tensor's first dimension.
        graph.build_dependency(framed, (example(framed.network),), verbose=False)
    if seen:
        # What the library cannot follow of the picture's ways shows only here.
        graph.coupled(framed.before, "outputs", range(3))
        graph.coupled(framed.after, "inputs", range(3))
    return framed, graph


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the library where a network is too deep for it to infer a width: whether it got by shows in the trial."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Maximum recursive depth reached!", category=UserWarning)
        yield


def found_groups(network: nn.Module) -> Iterator[Group]:
    """Yield the groups that the library's graph shows, before any trial."""
    framed, graph = traced(network)
    names = {module: name for name, module in framed.named_modules()}
    seen: set[tuple[nn.Module, int]] = set()
    for conv in [module for module in graph.module2node if isinstance(module, nn.Conv2d)]:
        channels = [channel for channel in range(conv.out_channels) if (conv, channel) not in seen]
        if not channels:
            continue
        sides = narrowest(graph, conv, channels)
        seen.update((member, channel) for member, side in sides if side == "outputs" for channel in sides[member, side])
        if not any(member in (framed.before, framed.after) or frozen(member) for member, _ in sides):
            yield from split_by_members({(names[member], side): roots for (member, side), roots in sides.items()})


def try_out(network: nn.Module, groups: Sequence[Group]) -> None:
    """Remove one unit of each group; raise InputError where that is not the same as silencing its channels.

    In float64 and with one unit of all groups at once. To silence is to zero what writes the channels and what reads
    them.
    """
    exact = copy.deepcopy(network).eval().double()
    first = dict.fromkeys(range(len(groups)), (0,))
    try:
        lr = example(exact)
        small = removed(exact, groups, first)
        with torch.no_grad():
            got, wanted = small(lr), silenced(exact, groups, first)(lr)
    except LIBRARY_FAILURES as error:
        raise beyond(network, f"what is left does not run: {error or type(error).__name__}") from error
    if got.shape != wanted.shape or (got - wanted).abs().max() > TOLERANCE * wanted.abs().max():
        raise beyond(network, "what is left computes something else than with those channels silent")


Sides = dict[tuple[nn.Module, Side], dict[int, int]]


def narrowest(graph: Graph, conv: nn.Conv2d, channels: Sequence[int]) -> Sides:
    """Return what goes with these outputs of `conv`: per side of a convolution, the unit of each channel.

    The library numbers units by the channels that it starts from, four for one where these lie before a shuffle. So it
    starts again from the side with the fewest channels that leads to all of `channels`.
    """
    reached = sides_of(graph.coupled(conv, "outputs", channels))
    for (member, side), roots in sorted(reached.items(), key=lambda entry: len(entry[1])):
        if len(roots) == len(channels):
            break
        again = sides_of(graph.coupled(member, side, sorted(roots)))
        if set(channels) <= again.get((conv, "outputs"), {}).keys():
            return again
    return reached


def sides_of(coupled: Any) -> Sides:  # noqa: ANN401 - the library's group
    """Return, per side of a convolution, the root of each channel in a group of the library's."""
    sides: Sides = defaultdict(dict)
    for item in coupled:
        conv, prune = item.dep.layer, item.dep.handler
        if not isinstance(conv, nn.Conv2d):
            continue
        # Both hold for a depthwise convolution.
        found: dict[Side, bool] = {
            "outputs": coupled._DG.is_out_channel_pruning_fn(prune),
            "inputs": coupled._DG.is_in_channel_pruning_fn(prune),
        }
        for side in [side for side, holds in found.items() if holds]:
            sides[conv, side].update(zip(item.idxs, item.root_idxs, strict=True))
    return dict(sides)


def frozen(conv: nn.Module) -> bool:
    """Tell whether a convolution was made not to be trained: the shift by the mean colour."""
    return not any(parameter.requires_grad for parameter in conv.parameters())


def split_by_members(sides: Mapping[tuple[str, Side], Mapping[int, int]]) -> Iterator[Group]:
    """Yield one group per set of sides that the same units touch; a lone unit cannot go and makes none."""
    channels: dict[int, dict[tuple[str, Side], list[int]]] = defaultdict(lambda: defaultdict(list))
    for key, roots in sides.items():
        for channel, unit in sorted(roots.items()):
            channels[unit][key].append(channel)
    alike: dict[tuple[tuple[str, Side], ...], list[int]] = defaultdict(list)
    for unit in sorted(channels):
        alike[tuple(channels[unit])].append(unit)
    for keys, units in alike.items():
        members = (
            Member(conv.removeprefix(INSIDE), side, tuple(tuple(channels[unit][conv, side]) for unit in units))
            for conv, side in keys
        )
        if len(units) > 1:
            yield Group(tuple(members))
