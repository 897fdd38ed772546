"""Command: find, train and ship the network with the best PSNR within a runtime budget on this device."""

import sys
from typing import TYPE_CHECKING

from nas.config.search_arguments import parse
from sr.command import DONE, INTERRUPTED, NOTHING_MEETS_BUDGET, command_line, run
from sr.heartbeat import Heartbeat
from sr.terminal import Terminal, is_redrawn, say

if TYPE_CHECKING:
    from nas.config.measurement_plan import MeasurementPlan


def main(argv: list[str] | None = None, *, plan: "MeasurementPlan | None" = None) -> int:
    """Search, choose, train and ship; returns the exit code. plan: how much is measured, None for the default."""
    config, dry_run, json_path = parse(argv)
    # Not at the top: --help answers without torch.
    from nas.config.measurement_plan import DEFAULT_PLAN
    from nas.cost_estimate import estimate_cost
    from nas.pipeline import search
    from sr.files import write_json

    plan = plan or DEFAULT_PLAN
    with Heartbeat(Terminal(), redrawn=is_redrawn()) as report:
        if dry_run:
            for line in estimate_cost(config, report=report, plan=plan).describe():
                say(line)
            return DONE
        try:
            result = search(config, report=report, plan=plan, command=command_line("nas.search", argv))
        except KeyboardInterrupt:
            return INTERRUPTED
    for line in result.lines:
        say(line, to_stderr=result.chosen is None)
    page = result.folder / "pareto.html"
    if result.chosen is None:
        say(f"Look at {page} for what was tried.", to_stderr=True)
        return NOTHING_MEETS_BUDGET
    if json_path:
        write_json(json_path, result.to_json())
    if not result.plot_is_drawn:
        say("pareto.png is left out: it takes kaleido and a Chrome that starts; pareto.html has the same plots")
    say(f"Look at {page}; the network is in {result.folder / 'chosen'}.")
    return DONE if result.meets_budget else NOTHING_MEETS_BUDGET


if __name__ == "__main__":
    sys.exit(run(main))
