"""What kinds gain beyond others, from few examples."""

import pytest

from nas.predictors.kind_gains import KindGains
from nas.successive_halving import Rung
from nas.trial import Trial
from search_spaces.architecture import Architecture, Block


def trained(number: int, kinds: str, *psnr: float) -> Trial:
    """Return a trial of blocks of these kinds that reached so many dB on its rungs."""
    blocks = tuple(Block(kind) for kind in kinds.split())
    rungs = tuple(Rung(100 * 4**index, value, 1.0) for index, value in enumerate(psnr))
    return Trial(number, Architecture(16, blocks), "trained", None, rungs=rungs)


def test_nothing_is_expected_before_anything_was_promoted() -> None:
    gains = KindGains.of([trained(0, "idle", 25.0)])
    assert gains == KindGains(0.0, {})
    assert gains.beyond_others(Architecture(16, (Block("idle"),))) == 0.0


def test_a_kind_gains_what_those_did_that_are_mostly_of_it_and_the_more_of_them_the_surer() -> None:
    told = [
        trained(0, "idle idle wide_conv", 25.0, 25.25),
        trained(1, "wide_conv wide_conv idle", 24.75, 25.25),
        trained(2, "wide_conv", 25.0),
    ]
    gains = KindGains.of(told)
    assert gains.of_all == pytest.approx(0.375)
    slow, fast = (Architecture(16, (Block(kind),)) for kind in ("wide_conv", "idle"))
    assert gains.beyond_others(slow) == pytest.approx(0.125 / 1.25)
    assert gains.beyond_others(fast) == pytest.approx(-0.125 / 1.25)
    assert gains.beyond_others(Architecture(16, (Block("mobilenetv3"),))) == 0.0
    more = KindGains.of([*told, trained(3, "wide_conv", 24.75, 25.25)])
    assert more.beyond_others(slow) == pytest.approx(2 * (0.5 - more.of_all) / 2.25)
