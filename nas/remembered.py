"""What a run finds out once, kept in a file for the runs that go on from it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sr.errors import InputError
from sr.files import write_json


def remembered(path: Path, find: Callable[[], Any]) -> Any:  # noqa: ANN401 - anything JSON can hold
    """Return the JSON values that were found when `path` was written: a device that is asked again answers otherwise.

    A training that goes on must be the one that was begun. Raises InputError for a file that holds none.
    """
    if not path.exists():
        write_json(path, find())
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not what an earlier run left there; remove it, or name another --out") from error
