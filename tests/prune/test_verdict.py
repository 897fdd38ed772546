"""The verdict says what the figures say, also where pruning lost."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prune.outcomes import Outcome, Reached
from prune.verdict import verdict
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions


def measured(ms: float, psnr: float, *, reliable: bool = True) -> Measurement:
    return Measurement(
        Complexity(1_200_000, 40 * 10**9, 41 * 10**9, 120 * 10**6, 91, 2**27),
        Runtime(ms, 0.9 * ms, 1.2 * ms, 40, reliable, "contiguous"),
        Conditions("device", "driver", "versions", 2, (170, 255), "float32"),
        20.0,
        Quality(psnr, psnr + 1.5, 0.81234, 5),
    )


def outcome(name: str, ms: float, psnr: float, *, reliable: bool = True) -> Outcome:
    return Outcome(name, measured(ms, psnr, reliable=reliable), (), None)


UNEQUAL = "not at equal runtime: "
DENSE = outcome("dense", 300, 28.45)
OURS = outcome("per-layer (blended)", 141, 28.41)


def duel(ours: tuple[float, float], rival: tuple[float, float]) -> str:
    """Return the line on per-layer against group, given the runtime and PSNR of both."""
    lines = verdict([DENSE, outcome("per-layer", *ours), outcome("group", *rival)])
    assert len(lines) == 3
    return lines[2]


@pytest.mark.parametrize(
    ("ms", "psnr", "line"),
    [
        (141, 28.41, "per-layer: 2.13 times faster (141 ms against 300 ms), 0.04 dB lost (PSNR 28.41 against 28.45)"),
        (150, 28.47, "per-layer: 2.00 times faster (150 ms against 300 ms), 0.02 dB gained (PSNR 28.47 against 28.45)"),
        (150, 28.45, "per-layer: 2.00 times faster (150 ms against 300 ms), no PSNR lost (PSNR 28.45 against 28.45)"),
        (297, 28.4, "per-layer: 1.01 times faster (297 ms against 300 ms), 0.05 dB lost (PSNR 28.40 against 28.45)"),
        (330, 28.4, "not faster: per-layer takes 1.10 times as long as dense (330 ms against 300 ms), 0.05 dB lost "
                    "(PSNR 28.40 against 28.45)"),
        (300, 28.45, "not faster: per-layer takes as long as dense (300 ms against 300 ms), no PSNR lost (PSNR 28.45 "
                     "against 28.45)"),
        (301, 28.45, "not faster: per-layer takes as long as dense (301 ms against 300 ms), no PSNR lost (PSNR 28.45 "
                     "against 28.45)"),
        (299.5, 28.4, "not faster: per-layer takes as long as dense (300 ms against 300 ms), 0.05 dB lost (PSNR 28.40 "
                      "against 28.45)"),
    ],
)  # fmt: skip
def test_a_pruned_network_against_the_dense_one(ms: float, psnr: float, line: str) -> None:
    assert verdict([DENSE, outcome("per-layer", ms, psnr)]) == [line]


@pytest.mark.parametrize(
    ("ours", "rival", "start"),
    [
        (
            (100, 28.40),
            (102, 28.35),
            "at equal runtime per-layer is 0.05 dB better than group (100 ms against 102 ms, ",
        ),
        ((103, 28.35), (100, 28.40), "at equal runtime per-layer is 0.05 dB worse than group"),
        (
            (100, 28.40),
            (150, 28.41),
            UNEQUAL + "at equal PSNR per-layer is 1.50 times faster than group (100 ms against 150 ms, ",
        ),
        ((150, 28.41), (100, 28.40), UNEQUAL + "at equal PSNR per-layer is 1.50 times slower than group"),
        (
            (100, 28.40),
            (150, 28.30),
            UNEQUAL + "per-layer dominates group: 1.50 times faster and 0.10 dB better (",
        ),
        (
            (150, 28.30),
            (100, 28.40),
            UNEQUAL + "per-layer is dominated by group: 1.50 times slower and 0.10 dB worse (",
        ),
        (
            (100, 28.30),
            (150, 28.40),
            UNEQUAL + "per-layer and group: neither dominates, per-layer is 1.50 times faster but 0.10 dB worse",
        ),
        (
            (150, 28.40),
            (100, 28.30),
            UNEQUAL + "per-layer and group: neither dominates, per-layer is 1.50 times slower but 0.10 dB better",
        ),
        (
            (100, 28.40),
            (103, 28.41),
            "per-layer and group: neither is ahead, equal in runtime and PSNR (100 ms against ",
        ),
        ((100, 28.40), (100, 28.40), "per-layer and group: neither is ahead"),
    ],
)
def test_ours_against_another_method(ours: tuple[float, float], rival: tuple[float, float], start: str) -> None:
    line = duel(ours, rival)
    assert line.startswith(start)
    assert line.endswith(f"PSNR {ours[1]:.2f} against {rival[1]:.2f})")


def test_equal_ends_where_the_margins_end() -> None:
    assert duel((100, 28.40), (103, 28.30)).startswith("at equal runtime")
    assert duel((100, 28.40), (103.2, 28.30)).startswith("not at equal runtime: per-layer dominates")
    assert "at equal PSNR" in duel((100, 28.41), (150, 28.40))
    assert "dominates" in duel((100, 28.412), (150, 28.40))


OPPOSITES = {
    "faster": "slower",
    "slower": "faster",
    "better": "worse",
    "worse": "better",
    "dominates": "is dominated by",
    "is dominated by": "dominates",
}
WORDS = re.compile(
    r"is dominated by|not at equal runtime|neither \w+|at equal \w+|dominates|faster|slower|better|worse"
)


@given(st.floats(50, 500), st.floats(50, 500), st.floats(27, 29), st.floats(27, 29))
def test_a_verdict_seen_from_the_other_side_is_its_opposite(
    ms: float, other_ms: float, psnr: float, other: float
) -> None:
    seen = WORDS.findall(duel((ms, psnr), (other_ms, other)))
    mirrored = WORDS.findall(duel((other_ms, other), (ms, psnr)))
    assert seen
    assert [OPPOSITES.get(word, word) for word in seen] == mirrored


def test_each_of_our_channel_orders_meets_each_other_method_and_losing_is_told() -> None:
    outcomes = [
        DENSE,
        OURS,
        outcome("per-layer (independent)", 320, 28.0),
        outcome("group", 143, 28.36),
        outcome("magnitude", 90, 28.44),
    ]
    lines = verdict(outcomes)
    assert [line.split(":")[0] for line in lines[:4]] == ["per-layer (blended)", "not faster", "group", "magnitude"]
    assert lines[4].startswith("at equal runtime per-layer (blended) is 0.05 dB better than group")
    assert lines[5].startswith(
        "not at equal runtime: per-layer (blended) is dominated by magnitude: 1.57 times slower and 0.03 dB worse"
    )
    assert lines[6].startswith(UNEQUAL + "per-layer (independent) is dominated by group")
    assert lines[7].startswith(UNEQUAL + "per-layer (independent) is dominated by magnitude")
    assert len(lines) == 8


def test_a_wide_spread_is_told() -> None:
    line = verdict([DENSE, OURS, outcome("group", 200, 28.0, reliable=False)])[-1]
    assert line.startswith("not steady: the runtimes of group (180 to 240 ms) spread widely")
    assert not any("not steady" in line for line in verdict([DENSE, OURS]))


@pytest.mark.parametrize(
    ("ms", "reached", "line"),
    [
        (135, Reached(0.45, 0.447, 0.447, None, nothing_between=False), None),
        (131, Reached(0.45, 0.447, 0.447, None, nothing_between=False), None),
        (
            159,
            Reached(0.45, 0.53, 0.38, 0.53, nothing_between=True),
            "group is not at the runtime asked for: 0.530 of dense's instead of 0.450 (159 ms instead of 135 ms); the "
            "nearest plans take 0.380 and 0.530 (114 ms and 159 ms), with none between",
        ),
        (
            120,
            Reached(0.45, 0.4, 0.4, None, nothing_between=True),
            "group is not at the runtime asked for: 0.400 of dense's instead of 0.450 (120 ms instead of 135 ms); the "
            "nearest plan takes 0.400 (120 ms)",
        ),
        (
            150,
            Reached(0.45, 0.44, 0.44, 0.47, nothing_between=False),
            "group is not at the runtime asked for: 0.500 of dense's instead of 0.450 (150 ms instead of 135 ms); when "
            "it was chosen it took 0.440",
        ),
    ],
)
def test_what_is_not_at_the_runtime_asked_for_is_told_with_its_neighbours(
    ms: float, reached: Reached, line: str | None
) -> None:
    lines = verdict([DENSE, replace(outcome("group", ms, 28.0), reached=reached)])
    assert lines[1:] == ([] if line is None else [line])
