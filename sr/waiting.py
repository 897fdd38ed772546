"""What this process waits for that another one holds: said with the signs of life, as nothing else goes on then."""

import contextlib
from collections.abc import Iterator

_WAITS: list[str] = []


@contextlib.contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Have `waits` name something while the block waits for it; in any thread of this process."""
    _WAITS.append(what)
    try:
        yield
    finally:
        _WAITS.remove(what)


def waits() -> str:
    """Return what is waited for now, nothing where nothing is."""
    return ", ".join(dict.fromkeys(_WAITS))
