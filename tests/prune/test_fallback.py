"""Our own method never loses to the group: where freedom did not pay, it is the group's network."""

from dataclasses import replace

import pytest

from prune.fallback import with_fallbacks
from prune.outcomes import Outcome
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions


def outcome(name: str, ms: float, psnr: float) -> Outcome:
    measurement = Measurement(
        Complexity(1, 1, 1, 1, 1, 1), Runtime(ms, ms, ms, 9, True, "contiguous"),
        Conditions("device", "driver", "versions", 2, (24, 24), "float32"), None, Quality(psnr, psnr, 0.8, 5),
    )  # fmt: skip
    return Outcome(name, measurement, (), 0.0)


DENSE, OURS = outcome("dense", 100.0, 28.0), outcome("per-layer (shared)", 50.0, 27.9)


@pytest.mark.parametrize(
    ("ms", "psnr", "taken"),
    [
        # Faster at the same PSNR, better at the same runtime, both.
        (48.0, 27.9, True), (50.0, 27.95, True), (45.0, 28.0, True), (48.0, 27.89, True),
        # Better at what the verdict calls equal runtime.
        (51.4, 27.95, True), (51.4, 27.91, False), (52.0, 28.0, False),
        # The same; a trade of one for the other; behind.
        (50.0, 27.9, False), (40.0, 27.8, False), (60.0, 28.0, False), (55.0, 27.8, False),
    ],
)  # fmt: skip
def test_the_groups_network_is_taken_where_it_is_ahead(ms: float, psnr: float, taken: bool) -> None:
    group = outcome("group", ms, psnr)
    outcomes, fallbacks = with_fallbacks([DENSE, OURS, group])
    ours = replace(group, name=OURS.name) if taken else OURS
    assert outcomes == (DENSE, ours, group)
    assert [each.line for each in fallbacks] == [
        f"per-layer (shared) is the group's network: its own plan took 50 ms at 27.90 dB, the group's {ms:.3g} ms at "
        f"{psnr:.2f} dB"
    ] * taken


def test_without_the_group_nothing_is_exchanged() -> None:
    assert with_fallbacks([DENSE, OURS]) == ((DENSE, OURS), [])
