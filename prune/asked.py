"""What a pruning was asked for, kept in its folder: who goes on there asks for the same."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from prune.config import PruneConfig
from sr.constraints import AUTO, flag
from sr.errors import InputError
from sr.files import make_folder, write_json
from sr.measure.gpu import describe
from sr.measure.target import parse_device

_FILE = "asked.json"
# What may be another when a pruning goes on: the plan of steps that the time led to lies beside, and stays.
_LEFT_OUT = ("out", "resume", "time_limit")
_PICTURES = "pictures"


def begin(checkpoint: Path, config: PruneConfig) -> dict[str, str]:
    """Make the folder, or take up what lies in it.

    Args:
        checkpoint: The network that is pruned.
        config: What is asked for.

    Returns:
        What is asked for, as the folder is to keep it.

    Raises:
        InputError: Where there is no such network, or where the folder holds another pruning.
    """
    check_is_there(checkpoint)
    names = [field.name for field in fields(config) if field.name not in _LEFT_OUT]
    asked = {"checkpoint": str(checkpoint)} | {name: str(getattr(config, name)) for name in names}
    # It may be another on another day.
    if config.execution == AUTO:
        # Folders of earlier versions do not know the choice.
        del asked["execution"]
    asked["device"] = _device_in_words(config.device)
    path = config.folder / _FILE
    if path.exists():
        if not config.resume:
            raise InputError(f"{config.folder} holds a pruning; go on with --resume, or name another --out")
        was = _asked_before(path)
        if config.engine == AUTO:
            # The fastest may be another one on another day, too.
            asked["engine"] = str(was.get("engine", AUTO))
        changed = [f"{flag(name)} was {was.get(name)}" for name in asked if was.get(name) != asked[name]]
        if changed:
            raise InputError(f"{config.folder} holds another pruning ({'; '.join(changed)}); name another --out")
    elif config.resume:
        raise InputError(f"there is no pruning in {config.folder}; leave --resume out to start one")
    make_folder(config.folder)
    return asked


def _device_in_words(name: str) -> str:
    """Return what a device is: of equal GPUs a pruning may go on with any."""
    device = parse_device(name)
    return describe(device) if device.type == "cuda" else str(device)


def check_is_there(checkpoint: Path) -> None:
    """Raise InputError where there is no such network."""
    if not checkpoint.is_file():
        raise InputError(f"no checkpoint at {checkpoint}; python -m baselines.train hcsrn --out {checkpoint} makes one")


def check_pictures(config: PruneConfig, pictures: Mapping[str, Any]) -> None:
    """Raise InputError where the pruning that is to go on was begun with other pictures.

    Args:
        config: What is asked for.
        pictures: What only the same pictures share, of those to train on and of those to validate on.
    """
    path = config.folder / _FILE
    if not config.resume or not path.exists():
        return
    # Folders of earlier versions do not know theirs.
    was = _asked_before(path).get(_PICTURES, pictures)
    if was != pictures:
        raise InputError(
            f"{config.folder} holds a pruning with other pictures: they were {was} and are now {dict(pictures)}; give "
            f"the same ones, or name another --out"
        )


def keep(out: Path, asked: Mapping[str, str], pictures: Mapping[str, Any]) -> None:
    """Write what is asked for; not before all could begin: what could not leaves nothing to go on with."""
    write_json(out / _FILE, {**asked, _PICTURES: pictures})


def _asked_before(path: Path) -> dict[str, Any]:
    """Read what was asked for; raises InputError where the file says something else."""
    try:
        was = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        was = None
    if not isinstance(was, dict):
        raise InputError(f"{path} does not say what was asked for; name another --out")
    return was
