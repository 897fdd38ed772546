"""How much a search measures."""

import math

from nas.config.measurement_plan import DEFAULT_PLAN


def test_short_search_does_not_wait_long_for_a_calm_device() -> None:
    short = DEFAULT_PLAN.for_limit(90.0)
    assert (short.finalists_seconds, short.shipped_seconds) == (9.0, 9.0)
    assert DEFAULT_PLAN.for_limit(3600.0) == DEFAULT_PLAN.for_limit(math.inf) == DEFAULT_PLAN
