"""Every sampler by name."""

from collections.abc import Callable
from functools import partial

from nas.optuna_backend.samplers import NsgaSampler, TpeSampler, mixed
from nas.samplers.evolution import Evolution
from nas.samplers.nni_tuners import NniSampler, require_nni
from nas.samplers.protocol import Sampler, SearchProblem
from nas.samplers.random_search import RandomSearch

SAMPLERS: dict[str, Callable[[SearchProblem], Sampler]] = {
    "mixed": mixed,
    "tpe": TpeSampler,
    "nsga2": NsgaSampler,
    "evolution": Evolution,
    "random": RandomSearch,
    "nni": NniSampler,
}


def check_sampler(name: str) -> None:
    """Raise InputError where what a sampler needs is not installed."""
    if name == "nni":
        require_nni()


def make_sampler(name: str, nni_tuner: str, problem: SearchProblem) -> Sampler:
    """Return the sampler of that name; nni_tuner: of the sampler `nni`."""
    make = partial(NniSampler, tuner=nni_tuner) if name == "nni" else SAMPLERS[name]
    return make(problem)
