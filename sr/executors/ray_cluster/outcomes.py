"""What Ray's errors say: that work raised something, or why its worker died."""

from sr.errors import InputError
from sr.printable import printable

_REASON_LENGTH = 300


def raised(error: BaseException) -> BaseException:
    """Return what work raised on its node, with Ray's own words for where as its cause."""
    own: BaseException = getattr(error, "cause", error)
    if isinstance(own, ModuleNotFoundError):
        return InputError(f"a node of the cluster lacks what this machine has ({own}); install the same on both")
    if own is not error:
        own.__cause__ = error
    return own


def reason(error: BaseException) -> str:
    """Return why a worker died, on one line: the last thing that Ray says, the rest being numbers."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = printable(said[-1]) if said else type(error).__name__
    return line if len(line) <= _REASON_LENGTH else line[:_REASON_LENGTH] + "..."
