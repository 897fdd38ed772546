"""How candidates may be judged, by name, and with how many rungs of training; free of torch, for commands."""

from typing import Literal

Fidelity = Literal["rungs", "supernet", "train"]
# Rungs of training by fidelity; where a supernet scores first, that is one more, below them.
TRAINED_RUNGS: dict[Fidelity, int] = {"rungs": 3, "supernet": 1, "train": 1}
