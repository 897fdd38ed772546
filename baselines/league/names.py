"""What a network is called where there is little room."""

from baselines.registry import BASELINES


def short_name(title: str) -> str:
    """Return a title as its authors spell the network, without the names of its numbers and without what is none."""
    name, *rest = title.split()
    if name not in BASELINES:
        return title
    numbers = [value for _, _, value in (part.partition("=") for part in rest) if value.isdecimal()]
    return " ".join([BASELINES[name].system, *(["-".join(numbers)] if numbers else rest)])
