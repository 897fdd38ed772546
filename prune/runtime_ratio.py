"""The runtime of a slim network as a share of the dense one's, by pairs of runs in turn."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sr.measure.device_lock import measuring_on
from sr.measure.engines.engine import Runner


@dataclass(frozen=True)
class BesideDense:
    """A network beside the dense one, both ready to run.

    Attributes:
        dense: The dense one, in its faster memory format.
        slim: The other in each memory format that the engine takes: which is faster only measuring tells.
        device: Where they run.
    """

    dense: Runner
    slim: tuple[Runner, ...]
    device: torch.device

    def ratios(self, pairs: int) -> Sequence[float]:
        """Return the network's share of the dense runtime by each of some pairs, in the faster of its formats."""
        with measuring_on(self.device):
            rounds = [(self.dense.run_ms(), [runner.run_ms() for runner in self.slim]) for _ in range(1 + pairs)]
        # The first one pays for setting up.
        by_format = [[slim[number] / dense for dense, slim in rounds[1:]] for number in range(len(self.slim))]
        return min(by_format, key=statistics.median)
