"""Command: prune a network until it is as fast or as small as asked, and prove it beside the dense one and rivals."""

import sys

from prune.flags import parse
from sr.command import DONE, command_line, run
from sr.files import write_json
from sr.heartbeat import Heartbeat
from sr.terminal import Terminal, is_redrawn, say


def main(argv: list[str] | None = None) -> int:
    """Parse, prune, and say what came out."""
    asked = parse(argv)
    # Not before: who asks for help waits for no import of torch.
    from prune.cost_estimate import estimate_cost
    from prune.pipeline import prune

    if asked.dry_run:
        with Heartbeat(Terminal(), redrawn=is_redrawn()) as report:
            lines = estimate_cost(asked.checkpoint, asked.config, report=report)
        for line in lines:
            say(line)
        return DONE
    with Heartbeat(Terminal(), redrawn=is_redrawn()) as report:
        result = prune(asked.checkpoint, asked.config, report=report, command=command_line("prune.run", argv))
    if asked.json:
        write_json(asked.json, result.to_json())
    for line in result.verdict:
        say(line)
    say(result.time.line)
    say(f"page: {result.folder / 'page.html'}; network: {result.paths[result.chosen]}")
    return DONE


if __name__ == "__main__":
    sys.exit(run(main))
