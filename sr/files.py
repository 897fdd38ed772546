"""Files that are either complete or absent: written to a temporary name beside the target, then renamed."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sr.errors import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without an error.

    Raises InputError where the folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix, delete=False
        ) as handle:
            temporary = Path(handle.name)
    except OSError as error:
        raise InputError(unwritable(path, error)) from error
    try:
        yield temporary
        # NamedTemporaryFile makes it private; what we ship is an ordinary file.
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise InputError(unwritable(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> str:
    """Say in one line why `path` could not be written."""
    return f"cannot write {path}: {error.strerror or error}; name a folder that can be written and has room"


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, complete or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, complete or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - anything JSON can hold
    """Write `value` as indented JSON with a closing newline; NaN and infinity are refused (ValueError)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
