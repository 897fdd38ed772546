"""What a method leaves of the network, kept in its folder: who goes on there chooses nothing again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from prune.graph.plan import Plan
from prune.outcomes import Reached
from prune.rewrite.execution import Choice
from sr.errors import InputError
from sr.files import write_json

# Where the rounds write themselves; a plan is of no use without the weights that it stands on.
STATE = "gates.state"


@dataclass(frozen=True)
class Chosen:
    """What a method leaves of the network.

    Attributes:
        plan: With its execution.
        choices: Why it runs as it does.
        reached: How near it is to the runtime that was asked for; None where none was.
    """

    plan: Plan
    choices: Sequence[Choice]
    reached: Reached | None = None


def chosen_before(folder: Path) -> Chosen | None:
    """Return what an earlier run chose, which it measured and another measurement might not repeat; None for nothing.

    Raises InputError where the files hold something else.
    """
    if not ((folder / "plan.json").is_file() and (folder / STATE).is_file()):
        return None
    try:
        plan, choices = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("plan", "execution"))
        path = folder / "reached.json"
        reached = Reached(**json.loads(path.read_text("utf-8"))) if path.is_file() else None
        return Chosen(Plan.from_json(plan), [Choice.from_json(choice) for choice in choices], reached)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        files = "plan.json, execution.json or reached.json"
        raise InputError(f"{folder}/{files} are no plan of a pruning; remove {folder}") from error


def write_chosen(folder: Path, chosen: Chosen) -> None:
    """Write what was chosen."""
    write_json(folder / "execution.json", [choice.to_json() for choice in chosen.choices])
    if chosen.reached is not None:
        write_json(folder / "reached.json", asdict(chosen.reached))
    # Last: where it lies nothing is left to choose but what a round that is not over chooses again.
    write_json(folder / "plan.json", chosen.plan.to_json())
