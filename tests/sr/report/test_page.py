"""Points in words and numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions
from sr.report.page import Point, digits, hover

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
