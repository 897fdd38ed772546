"""Everything that this project knows of a system beside its network, as one value at the end of the network's file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from baselines.stages import Stage
from sr.errors import InputError
from sr.scale import DEFAULT_SCALE

# How Table 1 counted a system: in deployed form; with its batch norms or weight norms as in training; with every
# convolution that the training form holds, run or not; FLOPs by the team's own count, which has one more per output of
# a convolution (its bias) and one per output of an activation.
CountedAs = Literal["deployed", "with_norms", "convs_held", "own_flops"]


@dataclass(frozen=True)
class Baseline:
    """A system of the field: a value of `BASELINES`, whose key is its name in commands and checkpoints.

    Attributes:
        network: Its constructor. The defaults of its arguments are the published size in deployed form; every argument
            is a JSON value, and `num_feat` is the width.
        system: What its authors call it; Table 1's spelling where it is a row there.
        since: Where it comes from; only for what is no row of Table 1.
        scales: The scales that it has; where it has others than that of the challenge, its constructor takes `scale`.
        counted: How Table 1 counted it.
        channel_step: What `num_feat` must be a multiple of, where blocks split or halve their channels.
        scaled_by: What other sizes it has: arguments of the constructor, each with the values that it may take,
            ascending; empty where its authors' design has one size.
        equal_blocks: Whether each further `num_block` adds the same work, as in a chain.
        recipe: How it was trained, by its paper, its code or the report.
        training_form: The config in which it trains, where that is not the one in which it is deployed.
        official_keys: Fragments of official parameter names and what they are called here, replaced in this order;
            empty where no official weights are known.
        official_config: Returns the config of official weights by their tensors under our names, where files of
            several forms exist.
    """

    network: Callable[..., nn.Module]
    system: str
    since: str = ""
    scales: tuple[int, ...] = (DEFAULT_SCALE,)
    counted: CountedAs = "deployed"
    channel_step: int = 1
    scaled_by: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    equal_blocks: bool = True
    recipe: tuple[Stage, ...] = (Stage(),)
    training_form: Mapping[str, Any] = field(default_factory=dict)
    official_keys: Mapping[str, str] = field(default_factory=dict)
    official_config: Callable[[Mapping[str, Tensor]], dict[str, Any]] | None = None


def out_channels(tensors: Mapping[str, Tensor], key: str) -> int:
    """Return the number of output channels of the convolution kernel `key`; InputError where there is none."""
    if key not in tensors:
        raise InputError(f"these are not the official weights: nothing in them becomes {key}; check the NAME")
    return tensors[key].shape[0]
