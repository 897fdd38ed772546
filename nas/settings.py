"""What the settings of a study or a calibration say, also where an earlier version had nothing to say."""

from collections.abc import Mapping
from typing import Any

from sr.scale import DEFAULT_SCALE

# What was so of all that was recorded before it was written down.
_BEFORE = {"scale": DEFAULT_SCALE}


def setting(settings: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - anything JSON can hold
    """Return a setting by its name; None where nothing says."""
    return settings.get(name, _BEFORE.get(name))
