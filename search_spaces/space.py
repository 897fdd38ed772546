"""Spaces of architectures: named choices, and the moves that every way of searching needs."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from search_spaces.architecture import Architecture, Block
from sr.scale import DEFAULT_SCALE

Value = int | str
Picks = Mapping[str, Value]


@dataclass(frozen=True)
class SearchSpace:
    """Which architectures may be proposed: the allowed values of each field. One with a single value is no choice.

    Attributes:
        name: Its key in `search_spaces.SPACES`.
        positions: How many blocks an architecture has, empty ones included.
        kinds: What may stand at each position.
        num_feat: The allowed widths.
        upsampler: The allowed upsamplers.
        image_skip: The allowed image skips.
        aggregation: The allowed aggregations.
        norm: That of all its architectures.
        seeds: Architectures of the space that a search proposes first, the cheap ones early.
        scale: That of all its architectures.

    Raises:
        ValueError: Where a seed lies outside.
    """

    name: str
    positions: int
    kinds: tuple[str, ...]
    num_feat: tuple[int, ...]
    upsampler: tuple[str, ...]
    image_skip: tuple[str, ...]
    aggregation: tuple[str, ...]
    norm: str = "none"
    seeds: tuple[Architecture, ...] = ()
    scale: int = DEFAULT_SCALE

    def __post_init__(self) -> None:
        for seed in self.seeds:
            self.encode(seed)

    def at_scale(self, scale: int) -> "SearchSpace":
        """Return the same space at another scale, its seeds too; raises ValueError for a scale that there is not."""
        return replace(self, scale=scale, seeds=tuple(replace(seed, scale=scale) for seed in self.seeds))

    @property
    def fields(self) -> dict[str, tuple[Value, ...]]:
        """The allowed values of every field, those with a single value included."""
        whole: dict[str, tuple[Value, ...]] = {
            "num_feat": self.num_feat,
            "upsampler": self.upsampler,
            "image_skip": self.image_skip,
            "aggregation": self.aggregation,
        }
        return whole | {position_name(index): self.kinds for index in range(self.positions)}

    @property
    def choices(self) -> dict[str, tuple[Value, ...]]:
        """The allowed values of every field that leaves a choice."""
        return {name: values for name, values in self.fields.items() if len(values) > 1}

    @property
    def size(self) -> int:
        """How many descriptions the space holds."""
        return math.prod(len(values) for values in self.choices.values())

    @property
    def networks(self) -> int:
        """How many different networks these are: where an empty position stands makes no difference."""
        kinds = len([kind for kind in self.kinds if kind != "identity"])
        depths = range(self.positions + 1) if "identity" in self.kinds else [self.positions]
        others = math.prod(len(values) for name, values in self.choices.items() if not name.startswith("block_"))
        return others * sum(int(kinds**depth) for depth in depths)

    def decode(self, picks: Picks) -> Architecture:
        """Return the architecture of picks.

        Args:
            picks: A value for each of `choices`.

        Raises:
            ValueError: Where a choice is missing or unknown, or a value is not allowed.
        """
        if set(picks) != set(self.choices):
            raise ValueError(f"{self.name} has the choices {sorted(self.choices)}, got {sorted(picks)}")
        for name, value in picks.items():
            if value not in self.choices[name]:
                raise ValueError(f"{name} is one of {self.choices[name]}, got {value!r}")
        values = {name: picks.get(name, allowed[0]) for name, allowed in self.fields.items()}
        blocks = tuple(Block(str(values[position_name(index)])) for index in range(self.positions))
        return Architecture(
            num_feat=int(values["num_feat"]),
            blocks=blocks,
            upsampler=str(values["upsampler"]),
            image_skip=str(values["image_skip"]),
            aggregation=str(values["aggregation"]),
            norm=self.norm,
            scale=self.scale,
        )

    def encode(self, architecture: Architecture) -> dict[str, Value]:
        """Return the picks that decode to an architecture.

        Args:
            architecture: Where it is shorter than the space, empty positions are added at its end.

        Raises:
            ValueError: Where it lies outside the space.
        """
        missing = self.positions - len(architecture.blocks)
        kinds = [block.kind for block in architecture.blocks] + ["identity"] * missing
        values: dict[str, Value] = {position_name(index): kind for index, kind in enumerate(kinds)}
        values |= {name: getattr(architecture, name) for name in self.fields if not name.startswith("block_")}
        if missing < 0 or (architecture.norm, architecture.scale) != (self.norm, self.scale):
            raise ValueError(
                f"{architecture.summary} is outside {self.name}: {self.positions} positions, {self.norm} norm, "
                f"x{self.scale}"
            )
        for name, value in values.items():
            if value not in self.fields[name]:
                raise ValueError(f"{architecture.summary} is outside {self.name}: {name} is one of {self.fields[name]}")
        return {name: values[name] for name in self.choices}

    def sample(self, rng: random.Random) -> dict[str, Value]:
        """Draw picks: the number of blocks evenly, then everything else."""
        picks = {name: rng.choice(values) for name, values in self.choices.items()}
        kinds = [kind for kind in self.kinds if kind != "identity"]
        if "identity" in self.kinds and kinds:
            depth = rng.randint(1, self.positions)
            for index in range(self.positions):
                picks[position_name(index)] = rng.choice(kinds) if index < depth else "identity"
        return picks

    def mutate(self, picks: Picks, rng: random.Random, count: int = 1) -> dict[str, Value]:
        """Return picks that differ in exactly `count` choices (all of them where there are fewer)."""
        changed = dict(picks)
        for name in rng.sample(sorted(self.choices), min(count, len(self.choices))):
            changed[name] = rng.choice([value for value in self.choices[name] if value != picks[name]])
        return changed

    def crossover(self, left: Picks, right: Picks, rng: random.Random) -> dict[str, Value]:
        """Return picks that take each value from one of the two parents."""
        return {name: rng.choice((left[name], right[name])) for name in self.choices}


def position_name(index: int) -> str:
    """Return the name of the choice of a position's block."""
    return f"block_{index:02d}"
