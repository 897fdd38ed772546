"""Our own method never loses: where freedom did not pay, it is another method's network."""

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
        (51.4, 27.95, True), (50.4, 27.92, True), (51.4, 27.91, False), (52.0, 28.0, False),
        # The same; a trade of one for the other; behind.
        (50.0, 27.9, False), (40.0, 27.8, False), (60.0, 28.0, False), (55.0, 27.8, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["group", "magnitude"])
def test_another_methods_network_is_taken_where_it_is_ahead(name: str, ms: float, psnr: float, taken: bool) -> None:
    rival = outcome(name, ms, psnr)
    outcomes, fallbacks = with_fallbacks([DENSE, OURS, rival])
    ours = replace(rival, name=OURS.name) if taken else OURS
    assert outcomes == (DENSE, ours, rival)
    assert [each.line for each in fallbacks] == [
        f"per-layer (shared) is the network of {name}: its own plan took 50 ms at 27.90 dB, that one {ms:.3g} ms at "
        f"{psnr:.2f} dB"
    ] * taken


def test_of_several_that_are_ahead_the_best_is_taken() -> None:
    rivals = [outcome("group", 50.0, 27.95), outcome("magnitude", 51.0, 28.0)]
    outcomes, (fallback,) = with_fallbacks([DENSE, OURS, *rivals])
    assert fallback.source == "magnitude"
    assert outcomes[1] == replace(rivals[1], name=OURS.name)


def test_without_another_method_nothing_is_exchanged() -> None:
    assert with_fallbacks([DENSE, OURS]) == ((DENSE, OURS), [])
