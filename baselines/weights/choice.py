"""Which tensors of a file are a network's weights, and under which common prefix."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from baselines.weights.files import NamedTensors

# What trainers, wrappers of parallel runs and compilers put before every name. A prefix that all names share is seen
# through whatever it is.
_PREFIXES = {
    "module", "model", "network", "net", "student", "sr", "sr_model", "net_g", "net_G", "netG", "generator",
    "ema", "ema_model", "model_ema", "ema_net", "net_g_ema", "g_ema", "generator_ema", "shadow",
    "_orig_mod", "_forward_module",
}  # fmt: skip
_DEEPEST = 5


@dataclass(frozen=True)
class Choice:
    """The weights that were chosen of a file.

    Attributes:
        place: Where they are: names and prefixes with dots between, empty for the top.
        tensors: By their official names.
        others: Places of the file's other weights of the same network.
        aside: Names of the tensors beside them, which belong to something else.
    """

    place: str
    tensors: Mapping[str, Tensor]
    others: tuple[str, ...]
    aside: tuple[str, ...]


@dataclass(frozen=True)
class _Candidate:
    place: str
    tensors: Mapping[str, Tensor]
    aside: tuple[str, ...]

    @property
    def averaged(self) -> bool:
        """Whether the names say that it is an average over the training."""
        return "ema" in self.place.lower().replace(".", "_").split("_")


def choose(sets: Sequence[NamedTensors], known: Callable[[Mapping[str, Tensor]], int]) -> Choice:
    """Choose the set and the prefix under which most names are those of a network.

    Among equals an average over the training goes first, then what stands first.

    Args:
        sets: Of a file, at least one.
        known: Returns how many of the names are the network's.
    """
    candidates = [candidate for each in sets for candidate in _seen_through(each)]
    counts = [known(candidate.tensors) for candidate in candidates]
    best = [candidate for candidate, count in zip(candidates, counts, strict=True) if count == max(counts)]
    if not max(counts):
        # No network of this name: what it says is missing should be about the largest set.
        best = [max(candidates, key=lambda candidate: len(candidate.tensors))]
    chosen = next((candidate for candidate in best if candidate.averaged), best[0])
    others = tuple(candidate.place for candidate in best if candidate is not chosen)
    return Choice(chosen.place, chosen.tensors, others, chosen.aside)


def _seen_through(found: NamedTensors, depth: int = 0, aside: tuple[str, ...] = ()) -> Iterator[_Candidate]:
    """Yield a set as it is, then below each of its prefixes."""
    yield _Candidate(found.place, found.tensors, aside)
    heads = {name.partition(".")[0] for name in found.tensors if "." in name}
    for head in sorted(heads):
        if depth < _DEEPEST and (head in _PREFIXES or len(heads) == 1):
            below = {
                name.removeprefix(f"{head}."): tensor
                for name, tensor in found.tensors.items()
                if name.startswith(f"{head}.")
            }
            beside = tuple(name for name in found.tensors if not name.startswith(f"{head}."))
            place = f"{found.place}.{head}" if found.place else head
            yield from _seen_through(NamedTensors(place, below), depth + 1, aside + beside)
