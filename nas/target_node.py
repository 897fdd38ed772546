"""The node of a cluster that networks are measured on, and what must not change about it."""

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sr.errors import InputError
from sr.measure.target import Conditions, Target

# The custom resource of Ray that marks the machine which networks are for.
TARGET_RESOURCE = "paretosr_target"


class TargetChangedError(InputError):
    """A node is to measure that is another kind of machine than the study's: its runtimes would not compare."""


@dataclass(frozen=True)
class TargetNode:
    """The node that measures.

    Attributes:
        name: The host's.
        conditions: What runtimes depend on there.
    """

    name: str
    conditions: Conditions

    @classmethod
    def here(cls, target: Target) -> "TargetNode":
        """Return this machine."""
        return cls(socket.gethostname(), target.conditions)

    def check(self, target: Target) -> None:
        """Raise TargetChangedError where this machine is none that measures as this node does."""
        here = TargetNode.here(target)
        if here.conditions != self.conditions:
            raise TargetChangedError(_refused(here, asdict(self.conditions)))

    def check_was(self, conditions: Mapping[str, Any]) -> None:
        """Raise TargetChangedError where a study was begun on other conditions, as its settings hold them."""
        if _as_json(asdict(self.conditions)) != _as_json(conditions):
            raise TargetChangedError(_refused(self, conditions))


def _refused(node: TargetNode, was: Mapping[str, Any]) -> str:
    """Say which node is no target, and in what it differs."""
    own, kept = _as_json(asdict(node.conditions)), _as_json(was)
    differing = [f"{name} {own[name]}, not {kept.get(name)}" for name in own if own[name] != kept.get(name)]
    return (
        f"node {node.name} is no target of this study, whose runtimes are of other conditions: "
        f"{'; '.join(differing)}; start Ray there without the resource {TARGET_RESOURCE}"
    )


def _as_json(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return conditions as the settings of a study hold them."""
    values: dict[str, Any] = json.loads(json.dumps(conditions))
    return values
