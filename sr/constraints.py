"""Constraints that configs have in common, checked while a config is made; free of torch."""

from pathlib import Path

from sr.errors import InputError

# The keys of `sr.deployment.DTYPES`, which take torch to be read.
DTYPE_NAMES = ("bfloat16", "float16", "float32")


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
