"""One block at the foot of a terminal that is redrawn while work goes on; lines scroll by above it."""

import atexit
import math
import time

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sr.progress import Phase, Standing, Step, duration

# A second is how the time is told; each drawing takes about a millisecond from what is being measured.
_DRAWN_PER_SECOND = 1.0
# What comes more often is drawn with the next.
_LEAST_SECONDS = 0.1
_BAR_COLUMNS = 24


class LiveBlock:
    """Shows on standard error how work stands and what is being done, from the first of either until there is none."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live: Live | None = None
        self._standing = Standing()
        self._doing: Step | Phase | None = None
        self._since = self._drawn = 0.0

    def stand(self, standing: Standing) -> None:
        """Show how the work stands."""
        self._standing = standing
        self._redraw()

    def do(self, doing: Step | Phase | None) -> None:
        """Show what is being done; None: nothing that is known of."""
        before, self._doing = self._doing, doing
        if doing is None or before is None or doing.label != before.label:
            self._since = time.monotonic()
            self._redraw()
        elif time.monotonic() - self._drawn >= _LEAST_SECONDS:
            self._redraw()

    def say(self, text: str) -> bool:
        """Print a line above the block; returns False, and prints nothing, where there is no block."""
        if self._live is None:
            return False
        self._console.print(Text(text), soft_wrap=True)
        return True

    def close(self) -> None:
        """Take the block away."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self.close)

    def _redraw(self) -> None:
        self._drawn = time.monotonic()
        if not self._standing.facts and self._doing is None:
            self.close()
        elif self._live is None:
            # Standard output may be a file while this is a screen: neither is touched.
            self._live = Live(
                get_renderable=self._drawing, console=self._console, refresh_per_second=_DRAWN_PER_SECOND,
                transient=True, redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            # However the process ends, the cursor is seen again.
            atexit.register(self.close)
            self._live.start(refresh=True)
        else:
            self._live.refresh()

    def _drawing(self) -> RenderableType:
        """Return the block: a row for each fact, then what is being done."""
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="dim", no_wrap=True)
        rows.add_column(overflow="ellipsis", no_wrap=True)
        for name, fact in self._standing.facts:
            rows.add_row(name, Text(fact))
        if math.isfinite(self._standing.ends_at):
            rows.add_row("time left", duration(max(0.0, self._standing.ends_at - time.monotonic())))
        if self._doing is not None:
            rows.add_row("now", self._now(self._doing))
        return rows

    def _now(self, doing: Step | Phase) -> RenderableType:
        if isinstance(doing, Phase):
            return Text(doing.after(time.monotonic() - self._since))
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(doing.total, doing.done, width=_BAR_COLUMNS), Text(_with_share(doing), no_wrap=True))
        return row


def _with_share(step: Step) -> str:
    """Return a step in words, its share in the place of bytes, which are many."""
    if step.unit != "B":
        return str(step)
    left = f", {duration(step.seconds_left)} left" if math.isfinite(step.seconds_left) else ""
    return f"{step.label}: {step.done / 1e6:.1f} of {step.total / 1e6:.1f} MB{left}"
