"""What a searched network is: a small frozen description that round-trips through JSON."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from search_spaces.kinds import BLOCKS, TRAINED_BETTER, WITHOUT_NORM
from sr.scale import DEFAULT_SCALE, SCALES

UPSAMPLERS = ("two_step", "one_step", "nearest_conv")
# `learned` begins as `bilinear`.
IMAGE_SKIPS = ("none", "nearest", "bilinear", "bicubic", "learned")
AGGREGATIONS = ("none", "long_skip", "concat")
NORMS = ("none", "batch")


@dataclass(frozen=True)
class Block:
    """One position of the trunk; kind is a key of `search_spaces.kinds.BLOCKS`."""

    kind: str

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in BLOCKS:
            raise ValueError(f"a block's kind is one of {', '.join(BLOCKS)}, got {self.kind!r}")


@dataclass(frozen=True)
class Architecture:
    """MSRResNet's skeleton with a choice in every part: head, blocks, aggregation, upsampler, image skip.

    Attributes:
        num_feat: Channels of the trunk, a multiple of 4 from 8 to 64.
        blocks: 1 to 32 positions, `identity` for an empty one.
        upsampler: One of UPSAMPLERS.
        image_skip: One of IMAGE_SKIPS.
        aggregation: One of AGGREGATIONS.
        norm: One of NORMS.
        scale: How many times as high and wide the picture becomes, one of `sr.scale.SCALES`.

    Raises:
        ValueError: Where a value breaks its constraint.
    """

    num_feat: int
    blocks: tuple[Block, ...]
    upsampler: str = "one_step"
    image_skip: str = "nearest"
    aggregation: str = "none"
    norm: str = "none"
    scale: int = DEFAULT_SCALE

    def __post_init__(self) -> None:
        if not isinstance(self.num_feat, int) or not 8 <= self.num_feat <= 64 or self.num_feat % 4:
            raise ValueError(f"num_feat is a multiple of 4 from 8 to 64, got {self.num_feat!r}")
        if not 1 <= len(self.blocks) <= 32:
            raise ValueError(f"an architecture has 1 to 32 positions, got {len(self.blocks)}")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if type(self.scale) is not int or self.scale not in SCALES:
            raise ValueError(f"scale is one of {', '.join(map(str, SCALES))}, got {self.scale!r}")

    @property
    def canonical(self) -> "Architecture":
        """The architecture without its empty positions: what is built and what tells two candidates apart."""
        kept = tuple(block for block in self.blocks if block.kind != "identity")
        return replace(self, blocks=kept or (Block("identity"),))

    @property
    def main_kind(self) -> str | None:
        """The kind of most of its blocks, the first of equals; None for a network without blocks."""
        kinds = Counter(block.kind for block in self.blocks if block.kind != "identity")
        return max(kinds, key=lambda kind: kinds[kind]) if kinds else None

    @property
    def design(self) -> tuple[Any, ...]:
        """What it is without its size: the kinds of its blocks and all choices but the width; equal for equal ones."""
        kinds = frozenset(block.kind for block in self.canonical.blocks)
        return (kinds, *(getattr(self, name) for name in CHOICES), self.scale)

    @property
    def trained_better(self) -> "Architecture | None":
        """The architecture that runs as this very network and is trained in a better form; None where there is none.

        Its convolutions train wider or tied, and an image skip that is a fixed 3x3 convolution of the LR is learned.
        """
        blocks = tuple(Block(TRAINED_BETTER.get(block.kind, block.kind)) for block in self.canonical.blocks)
        if self.norm != "none" and any(block.kind in WITHOUT_NORM for block in blocks):
            return None
        fixed = self.upsampler == "one_step" and self.image_skip == "bilinear"
        better = replace(self.canonical, blocks=blocks, image_skip="learned" if fixed else self.image_skip)
        return None if better == self.canonical else better

    @cached_property
    def key(self) -> str:
        """A hash that equal networks share, stable across processes and versions."""
        text = json.dumps(self.canonical.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def summary(self) -> str:
        """One line for tables and plots, such as `16ch 4x residual_relu + 2x conv, one_step, nearest skip`.

        It begins with the scale where that is not 4.
        """
        runs: list[list[Any]] = []
        for block in self.canonical.blocks:
            if runs and runs[-1][0] == block.kind:
                runs[-1][1] += 1
            else:
                runs.append([block.kind, 1])
        trunk = " + ".join(f"{count}x {kind}" for kind, count in runs)
        extras = [f"{self.image_skip} skip", self.aggregation, f"{self.norm} norm"]
        shown = [extra for extra in extras if not extra.startswith("none")]
        scale = "" if self.scale == DEFAULT_SCALE else f"x{self.scale} "
        return ", ".join([f"{scale}{self.num_feat}ch {trunk}", self.upsampler, *shown])

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; `from_json` is its exact inverse."""
        # The scale is named where it is not the one of all that was recorded before there were others.
        scale = {} if self.scale == DEFAULT_SCALE else {"scale": self.scale}
        return {
            "num_feat": self.num_feat,
            "blocks": [block.kind for block in self.blocks],
            **{name: getattr(self, name) for name in CHOICES},
            **scale,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Architecture":
        """Make an architecture from JSON values.

        Raises:
            ValueError: Where fields are missing, unknown or wrong.
        """
        wanted = {"num_feat", "blocks", *CHOICES}
        if set(values) - {"scale"} != wanted:
            raise ValueError(f"an architecture has the fields {sorted(wanted)}, got {sorted(values)}")
        if not isinstance(values["blocks"], list):
            raise ValueError(f"blocks is a list of kinds, got {values['blocks']!r}")  # noqa: TRY004 - as every constraint's
        blocks = tuple(Block(kind) for kind in values["blocks"])
        scale = values.get("scale", DEFAULT_SCALE)
        return cls(values["num_feat"], blocks, **{name: values[name] for name in CHOICES}, scale=scale)


CHOICES = {"upsampler": UPSAMPLERS, "image_skip": IMAGE_SKIPS, "aggregation": AGGREGATIONS, "norm": NORMS}
