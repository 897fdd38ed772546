"""The hand-designed networks of the field.

Public are `BASELINES`, every system by its name; `build`, which makes one; and `build_family`, which makes the network
that a checkpoint describes. They are imported when they are first asked for, so that the commands here say what they
can do without waiting for PyTorch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from baselines.registry import BASELINES, build, build_family

__all__ = ["BASELINES", "build", "build_family"]


def __getattr__(name: str) -> object:
    """Return a public name from the module that defines it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("baselines.registry"), name)
