"""The plan of a pruning in its folder: who goes on there goes on by the same."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from prune.planning.time_plan import Speeds, Steps
from sr.errors import InputError
from sr.files import write_json

_FILE = "planned.json"


@dataclass(frozen=True)
class Planned:
    """What was planned, and by what.

    Attributes:
        steps: The plan.
        speeds: What each part takes.
        autotuned: The precision and the memory format that are fastest to train in.
        is_final: Whether the fine-tuning, which gets what pruning leaves of the time, was planned for the last time.
    """

    steps: Steps
    speeds: Speeds
    autotuned: Mapping[str, str] = field(default_factory=dict)
    is_final: bool = False


def planned_before(folder: Path) -> Planned | None:
    """Return what an earlier run planned, None for nothing; raises InputError where the file says something else."""
    path = folder / _FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        steps, speeds = Steps(**content["steps"]), Speeds(**content["speeds"])
        return Planned(steps, speeds, dict(content["autotuned"]), bool(content["is_final"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no plan of a pruning; name another --out") from error


def remember(folder: Path, planned: Planned) -> None:
    """Write a plan."""
    write_json(folder / _FILE, asdict(planned))
