"""A pruning's config as the flags of python -m prune.run that make it."""

import math
from pathlib import Path

from prune.config import PruneConfig
from sr.files import StrPath
from sr.lr_size import size_text
from sr.run_file import Value, flags_of, seconds_text, write_run

# As a time limit: there is none.
NO_LIMIT = "none"


def write_pruning(path: StrPath, checkpoint: Path, config: PruneConfig) -> None:
    """Write what a pruning was asked for, as its --config takes it; raises InputError where that cannot be."""
    write_run(path, "python -m prune.run", pruning_flags(checkpoint, config))


def pruning_flags(checkpoint: Path, config: PruneConfig) -> dict[str, Value]:
    """Return the flags by their names without dashes, the network that is pruned among them."""
    flags = flags_of(config, {
        "targets": ("target", config.targets),
        "channel_orders": ("channel-order", config.channel_orders),
        "lr_size": ("lr-size", size_text(config.lr_size)),
        "time_limit": ("time-limit", NO_LIMIT if math.isinf(config.seconds) else seconds_text(config.seconds)),
    })  # fmt: skip
    return {"checkpoint": checkpoint, **flags}
