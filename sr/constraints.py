"""Constraints that configs have in common, checked while a config is made; free of torch."""

from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from sr.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# What networks run in: the keys of `sr.deployment.DTYPES`, which take torch to be read, and 8 bits.
DTYPE_NAMES = ("bfloat16", "float16", "float32", "int8")
# What runs networks: the keys of `sr.measure.engines.registry.ENGINES`.
AUTO = "auto"
ENGINE_NAMES = ("onnxruntime", "openvino", "tensorrt", "torch", "torch-compile")
# How torch launches a network on a CUDA device: one graph of all kernels, as a deployment does, or one kernel after the
# other; auto is the graph where the network can be captured in one.
EXECUTIONS = (AUTO, "eager", "graph")


def of_declared_types(config: "DataclassInstance") -> None:
    """Raise InputError where a field of a dataclass has a value of another type than it declares."""
    hints = get_type_hints(type(config))
    for field in fields(config):
        value, hint = getattr(config, field.name), hints[field.name]
        if not _is_of(value, hint):
            raise InputError(f"{flag(field.name)} must be {_described(hint)}, got {value!r}")


def _is_of(value: object, hint: Any) -> bool:  # noqa: ANN401 - whatever a field declares
    """Return whether a value is of a declared type; True and False are no numbers, and whole numbers are numbers."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_is_of(value, part) for part in parts)
    if origin is Literal:
        # Which of them it is, its own constraint says.
        return isinstance(value, type(parts[0]))
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        each = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(value) == len(each) and all(map(_is_of, value, each))
    if hint is float:
        return type(value) in (int, float)
    if hint in (int, bool):
        return type(value) is hint
    return isinstance(value, origin or hint)


def _described(hint: Any) -> str:  # noqa: ANN401 - as above
    """Say in words what a declared type takes."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_described(part) for part in parts))
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin is tuple:
        return f"a tuple of {_described(parts[0])}" if parts[-1] is ... else f"({', '.join(map(_described, parts))})"
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "text", NoneType: "None"}
    return words.get(hint, "a path")


def at_least(least: int, config: object, *names: str) -> None:
    """Raise InputError where one of these fields is neither None nor at least so much."""
    for name in names:
        value = getattr(config, name)
        if value is not None and value < least:
            raise InputError(f"{flag(name)} must be at least {least}, got {value}")


def one_of(config: object, name: str, allowed: tuple[str, ...]) -> None:
    """Raise InputError where a field has another value than those that are allowed."""
    value = getattr(config, name)
    if value not in allowed:
        raise InputError(f"{flag(name)} must be one of {', '.join(allowed)}, got {value!r}")


def as_paths(config: object, *names: str) -> None:
    """Turn these fields of a dataclass into paths while it is made, also where it is frozen; None stays."""
    for name in names:
        value = getattr(config, name)
        if value is not None:
            object.__setattr__(config, name, Path(value))


def flag(name: str) -> str:
    """Return the flag of a field as it is typed."""
    return f"--{name.replace('_', '-')}"
