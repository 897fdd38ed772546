"""What a search comes to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from nas.finalize import Chosen
from nas.report.tables import table
from nas.trial import Trial, front_of
from nas.verdict import keeps_to
from search_spaces.architecture import Architecture
from sr.checkpoint import load_network
from sr.errors import InputError
from sr.measure.measurement import Measurement


@dataclass(frozen=True)
class SearchResult:
    """The outcome of a search; its files lie in `folder`.

    Attributes:
        folder: Holds pareto.html, trials.csv, front.csv, and in chosen/ the network for PyTorch and ONNX.
        budget_ms: What the p90 of the runtime was to keep to.
        outcomes: Every trial, by number.
        chosen: The network that was trained and exported, None where no candidate was within the budget.
        lines: What came out, in plain words.
        plot_is_drawn: Whether pareto.png is there too, which takes a browser.
    """

    folder: Path
    budget_ms: float
    outcomes: tuple[Trial, ...]
    chosen: Chosen | None
    lines: tuple[str, ...]
    plot_is_drawn: bool = False

    @property
    def trials(self) -> pd.DataFrame:
        """Every trial as a row, by number; the columns are those of trials.csv."""
        return table(sorted(self.outcomes, key=lambda trial: trial.number))

    @property
    def front(self) -> pd.DataFrame:
        """The trials that none dominates in PSNR, runtime and activations, best PSNR first."""
        return table(front_of(self.outcomes))

    @property
    def meets_budget(self) -> bool:
        """Whether the exported network keeps to the budget."""
        chosen = self.chosen
        return chosen is not None and keeps_to(chosen.measurement, chosen.calm_p90_ms, self.budget_ms)

    @property
    def architecture(self) -> Architecture:
        """The description of the chosen network; raises InputError where there is none."""
        return self._required().trial.architecture

    @property
    def measurement(self) -> Measurement:
        """Counts, runtime and quality of the chosen network; raises InputError where there is none."""
        return self._required().measurement

    @property
    def network(self) -> nn.Module:
        """The chosen network, read from its checkpoint, in eval mode on the CPU; InputError where there is none."""
        self._required()
        return load_network(self.folder / "chosen" / "network.pth")

    def to_json(self) -> dict[str, Any]:
        """Return the measurement and the architecture of the chosen network; raises InputError where there is none."""
        return self.measurement.to_json() | {"architecture": self.architecture.to_json()}

    def _required(self) -> Chosen:
        if self.chosen is None:
            raise InputError(" ".join(self.lines))
        return self.chosen
