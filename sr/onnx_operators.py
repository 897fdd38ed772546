"""What the ONNX exporter knows of torch's operators, worked out once and not for each graph anew.

Of a small network's export that is a third to a half of the time, and a search exports every candidate.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any


@contextlib.contextmanager
def operators_worked_out_once() -> Iterator[None]:
    """Have exports in the block share what follows from the exporter's version alone.

    Under a torch that names these things otherwise they are worked out for each graph, as its exporter does by itself.
    """
    kept = _kept()
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in kept]
    for owner, name, instead in kept:
        setattr(owner, name, instead)
    try:
        yield
    finally:
        for owner, name, was in before:
            setattr(owner, name, was)


@functools.cache
def _kept() -> tuple[tuple[ModuleType | type, str, Any], ...]:
    """Return where the exporter looks up what, and what answers in its place; nothing under another torch."""
    try:
        from torch._export import utils
        from torch.onnx._internal.exporter import _decomp, _registration

        table = functools.cache(_decomp.create_onnx_friendly_decomposition_table)
        registry: Callable[..., Any] = functools.cache(_registration.ONNXRegistry.from_torchlib)
        return (
            (utils, "_materialize_cpp_cia_ops", functools.cache(utils._materialize_cpp_cia_ops)),
            (_decomp, "create_onnx_friendly_decomposition_table", lambda known: dict(table(frozenset(known)))),
            (_registration.ONNXRegistry, "from_torchlib", staticmethod(registry)),
        )
    except (ImportError, AttributeError):
        return ()
