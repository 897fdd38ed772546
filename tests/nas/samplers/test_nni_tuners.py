"""NNI's tuners as a sampler; most of what needs nni itself is in the contract of all samplers."""

import importlib.util
import math
import random
from collections.abc import Callable

import pytest

from nas.samplers.nni_tuners import (
    SCALARISATION,
    NniSampler,
    _nni_space,
    _observed,
    _rewards,
    _seeded,
    require_nni,
)
from nas.samplers.protocol import SearchProblem
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET, repeated
from sr.errors import InputError

Outcome = Callable[[int, Architecture], Trial]
SPACE = SPACES["msrresnet"]
INSTALLED = importlib.util.find_spec("nni") is not None


def test_rewards_are_those_by_hand(outcome: Outcome) -> None:
    small, large = outcome(0, repeated(8, "branched_conv", 1)), outcome(1, MSRRESNET)
    assert (small.state, large.state) == ("trained", "infeasible")
    assert small.measurement is not None
    assert large.measurement is not None
    failed = Trial(2, MSRRESNET, "failed", None, "the loss is nan")
    worth = _rewards([small, large, failed], 100.0)
    assert worth[0] == pytest.approx(small.psnr - 0.05 * math.log(small.measurement.runtime.median_ms / 100))
    assert worth[1] == pytest.approx(worth[0] - math.log(large.measurement.runtime.p90_ms / 100))
    assert set(worth) == {0, 1}
    assert _rewards([large], 100.0)[1] == pytest.approx(-math.log(large.measurement.runtime.p90_ms / 100))
    assert "0.05 dB * ln(runtime / budget)" in SCALARISATION


def test_tuner_observes_indices_of_each_network_once(outcome: Outcome) -> None:
    first = outcome(0, SPACE.seeds[0])
    repeat = Trial(1, first.architecture, "trained", first.measurement, duplicate_of=0)
    ((indices, reward),) = _observed(SearchProblem(SPACE, 0, 100.0), [first, repeat])
    described = _nni_space(SPACE)
    assert list(indices) == list(described)
    assert all(indices[name] in described[name]["_value"] for name in indices)
    assert {name: SPACE.choices[name][index] for name, index in indices.items()} == SPACE.encode(SPACE.seeds[0])
    assert reward == _rewards([first], 100.0)[0]


def test_unknown_tuner_is_named() -> None:
    with pytest.raises(InputError, match=r"--nni-tuner is one of TPE, .*, got 'Metis'"):
        NniSampler(SearchProblem(SPACE, 0, 100.0), "Metis")


@pytest.mark.skipif(INSTALLED, reason="nni is installed here")
def test_missing_nni_is_named_with_its_remedy() -> None:
    with pytest.raises(InputError, match=r"pip install 'paretosr\[nni\]'"):
        require_nni()


@pytest.mark.skipif(not INSTALLED, reason="nni is an optional extra and is not installed")
def test_nni_is_quiet(capsys: pytest.CaptureFixture[str], outcome: Outcome) -> None:
    trials = [outcome(number, seed) for number, seed in enumerate(SPACE.seeds)]
    for tuner in ("TPE", "GP"):
        NniSampler(SearchProblem(SPACE, 0, 100.0), tuner).propose(len(trials), trials)
    assert capsys.readouterr() == ("", "")


def test_global_generator_is_given_back() -> None:
    before = random.getstate()
    with _seeded(3):
        first = random.random()
    assert random.getstate() == before
    with _seeded(3):
        assert random.random() == first
