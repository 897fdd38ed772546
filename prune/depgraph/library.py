"""torch-pruning's graph of a network.

The library (Fang, Ma, Song, Mi, Wang, "DepGraph: Towards Any Structural Pruning", CVPR 2023) follows autograd's graph.
It takes what it does not know for channel by channel, pixel shuffles among it, so these are taught here.
"""

import contextlib
import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from prune.depgraph.shuffles import Shuffle, ShufflePruner, map_channels, place_shuffles
from prune.graph.plan import Side
from sr.errors import InputError

# The second for networks whose attention has nothing to pool in the first.
_EXAMPLE_SIDES = (32, 48)
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


class LibraryGraph(tp.DependencyGraph):  # type: ignore[misc]  # the library has no types
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
        with _silenced_warnings():
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
        """Map LR (n, 3, h, w) to SR; only the path matters."""
        sr: Tensor = self.after(self.network(self.before(lr) if self.seen else lr))
        return sr


def traced(network: nn.Module) -> tuple[Framed, LibraryGraph]:
    """Return a framed copy of `network` and the library's graph of it.

    The picture read is in the graph, so that concatenations with it are understood, unless the library fails on what
    else is done with it.
    """
    try:
        return _traced_once(network, seen=True)
    except LIBRARY_FAILURES:
        return _traced_once(network, seen=False)


def _traced_once(network: nn.Module, *, seen: bool) -> tuple[Framed, LibraryGraph]:
    """Return a framed copy of `network` and the library's graph of it, with the picture read in it or without."""
    framed = Framed(copy.deepcopy(network).eval(), seen=seen)
    graph = LibraryGraph()
    with torch.enable_grad(), _silenced_warnings():
        # A tuple: the library would run along a bare tensor's first dimension.
        graph.build_dependency(framed, (example(framed.network),), verbose=False)
    if seen:
        # What the library cannot follow of the picture's paths shows only here.
        graph.coupled(framed.before, "outputs", range(3))
        graph.coupled(framed.after, "inputs", range(3))
    return framed, graph


def example(network: nn.Module) -> Tensor:
    """Return a random LR picture (1, 3, h, h) that `network` takes, of its dtype and on its device."""
    like = next(network.parameters())
    for side in _EXAMPLE_SIDES:
        lr = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(like)
        try:
            with torch.no_grad():
                network(lr)
        except RuntimeError as error:
            refused = error
        else:
            return lr
    raise beyond(network, f"it takes no picture of {_EXAMPLE_SIDES[-1]}x{_EXAMPLE_SIDES[-1]}: {refused}") from refused


def beyond(network: nn.Module, cause: str) -> InputError:
    """Return the error that torch-pruning cannot prune `network`."""
    said = " ".join(cause.split())
    return InputError(f"torch-pruning cannot prune a {type(network).__name__} ({said}); prune it without groups")


def magnitude_importance(coupled: Any) -> Tensor:  # noqa: ANN401 - the library's group
    """Return the library's own score of the units of one of its groups, float32, their mean 1.

    The squared L2 norm of a unit's weights per member, averaged over the members, over the mean of the group. The
    library counts no depthwise convolution.
    """
    importance: Tensor = tp.importance.GroupMagnitudeImportance(p=2)(coupled)
    return importance


@contextlib.contextmanager
def _silenced_warnings() -> Iterator[None]:
    """Silence the library where a network is too deep for it to infer a width: whether it got by shows in the trial."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Maximum recursive depth reached!", category=UserWarning)
        yield
