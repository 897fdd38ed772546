"""A search's config as the flags of python -m nas.search that make it."""

import math

from nas.config.search import SearchConfig
from sr.addresses import without_password
from sr.files import StrPath
from sr.lr_size import size_text
from sr.run_file import Value, flags_of, seconds_text, write_run

# As a time limit: there is none.
NO_LIMIT = "none"


def write_search(path: StrPath, config: SearchConfig) -> None:
    """Write what a search was asked for, as its --config takes it; raises InputError where that cannot be."""
    write_run(path, "python -m nas.search", search_flags(config))


def search_flags(config: SearchConfig) -> dict[str, Value]:
    """Return the flags by their names without dashes."""
    limit = config.time_limit
    text = None if limit is None else NO_LIMIT if math.isinf(limit) else seconds_text(limit)
    return flags_of(config, {
        "lr_size": ("lr-size", size_text(config.lr_size)),
        "time_limit": ("time-limit", text),
        "use_seeds": ("no-seeds", not config.use_seeds),
        "use_predictions": ("no-predictions", not config.use_predictions),
        "storage": ("storage", None if config.storage is None else without_password(str(config.storage))),
    })  # fmt: skip
