"""Points in words and numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr.complexity import Complexity
from sr.latency import Conditions, Runtime
from sr.measurement import Measurement
from sr.page import Point, digits, hover, rank_correlation
from sr.quality import Quality

MEASUREMENT = Measurement(
    Complexity(
        params=433_000,
        multi_adds=27_100_000_000,
        challenge_flops=27_110_000_000,
        activations=112_000_000,
        convs=64,
        memory=2**27,
    ),
    Runtime(20.0, 18.0, 23.0, 12, reliable=True, memory_format="contiguous"),
    Conditions("a device", "a driver", "versions", 2, (256, 256), "float32"),
    20.0,
)


def test_a_point_holds_what_was_measured() -> None:
    trained = replace(MEASUREMENT, quality=Quality(psnr=29.04, psnr_y=30.5, ssim=None, pictures=100))
    assert Point.of("RFDN", trained, "reference", "hand-designed") == Point(
        label="RFDN",
        psnr=29.04,
        runtime_ms=20.0,
        runtime_p10=18.0,
        runtime_p90=23.0,
        activations=112_000_000,
        multi_adds=27_100_000_000,
        params=433_000,
        kind="reference",
        detail="hand-designed",
    )
    assert Point.of("RFDN", MEASUREMENT, "infeasible").psnr is None


def test_pointing_at_a_network_tells_what_is_known() -> None:
    text = hover(Point.of("a <b>", MEASUREMENT, "candidate", "c & d"))
    assert text == (
        "<b>a &lt;b&gt;</b> (candidate)<br>not trained, 20.0 ms (18.0 to 23.0)<br>112 M activations, 27.1 G multi-adds"
        "<br>c &amp; d"
    )


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0123, "0.0123"), (3.4, "3.40"), (27.52, "27.5"), (902.4, "902"), (1320, "1,320")]
)
def test_digits(value, text):
    assert digits(value) == text


@given(st.floats(1e-6, 1e12))
def test_digits_are_within_half_a_percent(value):
    assert float(digits(value).replace(",", "")) == pytest.approx(value, rel=5.1e-3)


def test_rank_correlation_by_hand():
    assert rank_correlation([1, 2, 3], [10, 200, 3000]).endswith(" 1.00")
    assert rank_correlation([1, 2, 3], [3, 2, 1]).endswith(" -1.00")
    # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * 4 / (4 * 15) = 0.6.
    assert rank_correlation([1, 2, 3, 4], [5, 4, 8, 7]).endswith(" 0.60")
    # Ties share a rank: 1.5 1.5 3 against 1 2 3 gives 1.5 / sqrt(1.5 * 2) = 0.866.
    assert rank_correlation([1, 1, 3], [1, 2, 3]).endswith(" 0.87")
    assert rank_correlation([1, 1], [1, 2]) == "too few to correlate"
