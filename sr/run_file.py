"""A run in a file: what a command was asked for as TOML, a line for each flag, which takes the place of the flags."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from sr.errors import InputError
from sr.files import StrPath, write_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# The file in a run's folder.
RUN_FILE = "run.toml"

Value = bool | int | float | str | Path | Sequence[int | float | str] | None


def flags_of(config: "DataclassInstance", instead: Mapping[str, tuple[str, Value]]) -> dict[str, Value]:
    """Return the flags that make a config, without their dashes.

    Args:
        config: A frozen config; a field's flag has the field's name unless `instead` says otherwise. What a run does
            only when it goes on, its `resume`, is left out.
        instead: By the name of a field the flag and its value.
    """
    names = [field.name for field in fields(config) if field.name != "resume"]
    return dict(instead.get(name, (name.replace("_", "-"), getattr(config, name))) for name in names)


def seconds_text(seconds: float) -> str:
    """Return seconds as `sr.command.parse_duration` reads them."""
    return f"{seconds:f}".rstrip("0").rstrip(".") + "s"


def write_run(path: StrPath, command: str, flags: Mapping[str, Value]) -> None:
    """Write what a command was asked for; None, False and empty lists are left out, as flags are.

    Args:
        path: The file.
        command: How the command is called, for the first line.
        flags: Their values by their names without dashes.

    Raises:
        InputError: Where it cannot be written.
    """
    given = {name: value for name, value in flags.items() if value is not None and value is not False and value != ()}
    lines = [f"# {command} --config {RUN_FILE}", *(f"{name} = {_toml(value)}" for name, value in given.items())]
    write_text(path, "\n".join(lines) + "\n")


def read_run(path: StrPath) -> dict[str, object]:
    """Return the values of such a file by the names of the flags; raises InputError where it is no TOML."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"no file at {path}; a run's folder has one called {RUN_FILE}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path} is no TOML: {error}") from error


def as_text(value: object) -> str | None:
    """Return a value of such a file as it is typed behind a flag; None where no flag takes such a value."""
    if isinstance(value, list):
        texts = [as_text(each) for each in value]
        whole = [text for text in texts if text is not None]
        return ",".join(whole) if whole and len(whole) == len(texts) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return str(value)


def _toml(value: Value) -> str:
    """Return a value as TOML; its strings are JSON's, which also has DEL as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)
