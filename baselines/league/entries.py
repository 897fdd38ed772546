"""What stands in a league: hand-designed networks, architectures that a search chose, and pruned networks."""

import hashlib
import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from baselines.at_budget import scalable_families, title_of
from baselines.registry import BASELINES, build, check_network, scaled
from baselines.training import deployed_form
from search_spaces.architecture import Architecture
from search_spaces.network import untrained
from sr.checkpoint import Description, load, load_network, one_line
from sr.deployment import deploy
from sr.errors import InputError
from sr.scale import DEFAULT_SCALE

Kind = Literal["hand-designed", "searched", "pruned"]
ALL = "all"
_HOW = (
    f"{ALL}, families of it, FAMILY:KEY=VALUE:..., FAMILY=published, search=RUN, pruned=RUN and league=FILE, "
    "with commas between"
)
# As titles have them.
_WORDS = {"True": True, "False": False}
# That networks are built of.
_PACKAGES = ("sr", "search_spaces", "baselines")


@dataclass(frozen=True)
class Entry:
    """A network that is measured and trained.

    Attributes:
        title: Its name in tables, its own.
        kind: Where it comes from.
        description: Of the form that it is deployed in.
        weights: The checkpoint that its training starts from; None to train from scratch.
    """

    title: str
    kind: Kind
    description: Description
    weights: Path | None = None

    def start(self, seed: int) -> nn.Module:
        """Return the network as its training begins: in training form, drawn from the seed where it has no weights."""
        torch.manual_seed(seed)
        if self.weights is not None:
            return load_network(self.weights)
        config = dict(self.description.config)
        if self.description.family == "searched":
            return untrained(Architecture.from_json(config))
        return build(**{**config, **BASELINES[config["name"]].training_form})

    def deployed(self, trained: nn.Module) -> nn.Module:
        """Return the form that runs of the network that `start` began."""
        if self.description.family != "baseline":
            return deploy(trained)
        config = dict(self.description.config)
        return deployed_form(config.pop("name"), config, trained)

    def untrained(self) -> nn.Module:
        """Return a network that takes as long as the trained one."""
        return load_network(self.weights) if self.weights is not None else self.description.build()

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What it is, as JSON values: its description, the weights that it starts from, and its code."""
        weights = None if self.weights is None else _digest(self.weights.read_bytes())
        config = dict(self.description.config)
        return {"family": self.description.family, "config": config, "weights": weights, "code": self._code()}

    def _code(self) -> str:
        """Return a digest of the source that it is made of."""
        return _digest("\n".join(inspect.getsource(sys.modules[name]) for name in modules_of(self.start(0))).encode())


def modules_of(network: nn.Module) -> list[str]:
    """Return the names of our modules that parts of a network, or what those derive from, are defined in."""
    classes = {cls for part in network.modules() for cls in type(part).__mro__}
    return sorted({cls.__module__ for cls in classes if cls.__module__.partition(".")[0] in _PACKAGES})


def of_size(name: str, config: Mapping[str, Any]) -> Entry:
    """Return the entry of a hand-designed family in one of its sizes."""
    return Entry(title_of(name, config), "hand-designed", Description("baseline", {"name": name, **config}))


def parted(texts: Sequence[str], scale: int = DEFAULT_SCALE) -> tuple[tuple[str, ...], tuple[Entry, ...]]:
    """Return the families whose member at the budget is wanted, and the entries that are named as they are.

    Args:
        texts: `all`, names of families, FAMILY=published, FAMILY:KEY=VALUE:... in a size of its own, search=RUN and
            pruned=RUN, where RUN is the folder of a search or a pruning, or a checkpoint that one left, and
            league=FILE: the networks of a file that a league left, but for pruned ones, of which it has no weights.
        scale: How many times all of them enlarge.

    Raises:
        InputError: For anything else, where one enlarges otherwise, or where two would share a name.
    """
    families: list[str] = []
    entries: list[Entry] = []
    for text in texts:
        name, is_named, value = text.partition("=")
        if text == ALL:
            families += scalable_families(scale)
        elif name == "league" and is_named:
            entries += [_at_scale(scale, each) for each in _of_league(Path(value))]
        elif ":" in name:
            entries.append(_sized(text, scale))
        elif is_named:
            entries.append(_at_scale(scale, _named(name, value, text, scale)))
        elif name in scalable_families(scale):
            families.append(name)
        else:
            known = ", ".join(scalable_families(scale))
            raise InputError(f"--entries takes {_HOW}; of the families {known}; got {text!r}")
    titles = [entry.title for entry in entries]
    if twice := sorted({title for title in titles if titles.count(title) > 1}):
        raise InputError(f"--entries gives two networks the name {twice[0]!r}; rename a run's folder")
    return tuple(dict.fromkeys(families)), tuple(entries)


def _sized(text: str, scale: int) -> Entry:
    """Return the entry of a family in the size that is written behind it, as in its title but for the colons."""
    name, *sizes = text.split(":")
    values = {key: value for key, _, value in (size.partition("=") for size in sizes)}
    config = {key: int(value) if value.isdecimal() else _WORDS.get(value, value) for key, value in values.items()}
    if "scale" in config:
        raise InputError(f"--scale says how many times networks enlarge, not --entries; got {text!r}")
    # What cannot be built is refused here, in one line.
    build(name, **scaled(config, scale))
    return of_size(name, scaled(config, scale))


def _named(name: str, value: str, text: str, scale: int) -> Entry:
    """Return the entry of a text with an equals sign."""
    if name == "search":
        return _searched(Path(value))
    if name == "pruned":
        return _pruned(Path(value))
    if value == "published" and name in BASELINES:
        check_network(name, scale)
        return Entry(f"{name} as published", "hand-designed", Description("baseline", scaled({"name": name}, scale)))
    raise InputError(f"--entries takes {_HOW}; got {text!r}")


def _of_league(path: Path) -> list[Entry]:
    """Return the networks of a league's file that are trained from scratch."""
    try:
        networks = json.loads(path.read_text(encoding="utf-8"))["networks"]
        entries = [
            Entry(each["title"], each["kind"], Description(**each["network"]))
            for each in networks
            if each["kind"] != "pruned"
        ]
        for entry in entries:
            # What is no network is said now, not when its turn to be measured comes.
            entry.description.build()
    except (InputError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"league={path} is no file that a league left with its networks: {one_line(error)}") from error
    if not entries:
        raise InputError(f"league={path} holds no network that is trained from scratch")
    return entries


def _at_scale(scale: int, entry: Entry) -> Entry:
    """Return an entry; raises InputError where it enlarges otherwise."""
    if entry.description.scale != scale:
        raise InputError(f"{entry.title} is x{entry.description.scale}: it has no place in a league of --scale {scale}")
    return entry


def _searched(run: Path) -> Entry:
    """Return what a search chose, read from its run's folder."""
    path = run / "chosen" / "architecture.json"
    try:
        architecture = Architecture.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"search={run} is no folder of a finished search: {path}: {error}") from error
    return Entry(f"searched {run.name}", "searched", Description("searched", architecture.to_json()))


def _pruned(run: Path) -> Entry:
    """Return what a pruning exported, by its run's folder, or a checkpoint."""
    path = run if run.is_file() else _exported(run)
    title = run.stem if run.is_file() else run.name
    return Entry(f"pruned {title}", "pruned", load(path).description, path)


def _exported(run: Path) -> Path:
    """Return the checkpoint of the network that a pruning exported."""
    try:
        results = json.loads((run / "results.json").read_text(encoding="utf-8"))
        return run / str(results["network"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"pruned={run} is neither a checkpoint nor a folder of a finished pruning: {error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
