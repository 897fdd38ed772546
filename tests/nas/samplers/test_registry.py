"""Samplers by name."""

import importlib.util

import pytest

from nas.config.search import NNI_TUNER_NAMES, SAMPLER_NAMES
from nas.samplers.evolution import Evolution
from nas.samplers.nni_tuners import TUNERS
from nas.samplers.protocol import SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.samplers.registry import SAMPLERS, check_sampler, make_sampler
from sr.errors import InputError

INSTALLED = importlib.util.find_spec("nni") is not None


def test_names_of_a_config_are_those_of_the_registries() -> None:
    assert tuple(SAMPLERS) == SAMPLER_NAMES
    assert tuple(TUNERS) == NNI_TUNER_NAMES


def test_sampler_of_a_name_is_made(problem: SearchProblem) -> None:
    assert isinstance(make_sampler("evolution", "TPE", problem), Evolution)
    assert isinstance(make_sampler("random", "TPE", problem), RandomSearch)
    for name in SAMPLERS:
        if name != "nni":
            check_sampler(name)
            assert set(make_sampler(name, "TPE", problem).propose(0, [])) == set(problem.space.choices)


def test_tuner_of_the_sampler_nni_is_that_of_the_name(problem: SearchProblem) -> None:
    with pytest.raises(InputError, match=r"--nni-tuner is one of TPE, .*, got 'Metis'"):
        make_sampler("nni", "Metis", problem)


@pytest.mark.skipif(INSTALLED, reason="nni is installed here")
def test_sampler_that_is_not_installed_is_named() -> None:
    with pytest.raises(InputError, match="the sampler nni needs the package nni"):
        check_sampler("nni")


@pytest.mark.skipif(not INSTALLED, reason="nni is an optional extra and is not installed")
def test_sampler_that_is_installed_passes(problem: SearchProblem) -> None:
    check_sampler("nni")
    assert set(make_sampler("nni", "Random", problem).propose(0, [])) == set(problem.space.choices)
