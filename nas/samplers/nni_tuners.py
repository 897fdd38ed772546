"""Proposals by NNI's tuners, called in this process: no manager, no port, no log; the only importer of nni."""

import logging
import math
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nas.samplers.protocol import Picks, SearchProblem, first_worthwhile, proposal_seed, then_mutations
from nas.samplers.random_search import samples
from nas.trial import Trial
from search_spaces.space import SearchSpace
from sr.errors import InputError

# A draw makes a tuner and tells it everything anew; after so many its draws are mutated.
_TUNER_DRAWS = 5
# dB that a runtime of e times the budget costs: within it as a tie-break, beyond it as a fence.
_RUNTIME_WEIGHT, _EXCESS_WEIGHT = 0.05, 1.0
SCALARISATION = (
    f"PSNR - {_RUNTIME_WEIGHT:g} dB * ln(runtime / budget) of a trained candidate; of one over the budget, which has "
    f"no PSNR, the lowest of these - {_EXCESS_WEIGHT:g} dB * ln(p90 / budget); a failed candidate is not told"
)

# Fewer than NNI's 32: until so many were observed, its evolution is a random search.
_EVOLUTION_POPULATION = 16
# Fewer than NNI's 100,000, which take longer to draw than a small network takes to train.
_GP_DRAWS = 2000

# A value's index within each choice: some tuners take numbers only, and all take these.
_Indices = dict[str, int]
_Observed = Sequence[tuple[_Indices, float]]
_NniSpace = Mapping[str, Mapping[str, Any]]


class NniSampler:
    """One of TUNERS by name, made anew for each draw and told of every trial.

    NNI's tuners optimise one number: SCALARISATION says which. Raises InputError where nni is not installed or has no
    such tuner.
    """

    def __init__(self, problem: SearchProblem, tuner: str = "TPE") -> None:
        if tuner not in TUNERS:
            raise InputError(f"--nni-tuner is one of {', '.join(TUNERS)}, got {tuner!r}")
        require_nni()
        self._problem, self._suggest = problem, TUNERS[tuner]
        self._space = _nni_space(problem.space)

    def propose(self, number: int, trials: Sequence[Trial]) -> Picks:
        """Return the tuner's proposal; a draw of the space where the tuner has none left."""
        draws = then_mutations(self._problem, number, self._draws(number, trials), _TUNER_DRAWS)
        return first_worthwhile(self._problem, trials, draws)

    def _draws(self, number: int, trials: Sequence[Trial]) -> Iterator[Picks]:
        """Draw from the tuner without end, a seed of its own each time."""
        observed = _observed(self._problem, trials)
        chance = samples(self._problem, number)
        draw = 0
        while True:
            seed = proposal_seed(self._problem, number, draw) % 2**31
            indices = self._suggest(self._space, observed, seed)
            choices = self._problem.space.choices
            yield next(chance) if indices is None else {name: choices[name][int(indices[name])] for name in choices}
            draw += 1


def _by_tpe(space: _NniSpace, observed: _Observed, seed: int) -> _Indices | None:
    """Return a proposal of NNI's TPE, each choice by itself; None where it has proposed everything."""
    import nni
    from nni.algorithms.hpo.tpe_tuner import TpeTuner

    tuner = TpeTuner("maximize", seed)
    tuner.update_search_space(space)
    tuner.import_data([{"parameter": indices, "value": reward} for indices, reward in observed])
    try:
        return dict(tuner.generate_parameters(0))
    except nni.NoMoreTrialError:
        return None


def _by_random(space: _NniSpace, observed: _Observed, seed: int) -> _Indices:  # noqa: ARG001 - it learns nothing
    """Return a draw of NNI's random tuner, every choice evenly."""
    from nni.algorithms.hpo.random_tuner import RandomTuner

    tuner = RandomTuner(seed)
    tuner.update_search_space(space)
    return dict(tuner.generate_parameters(0))


def _by_evolution(space: _NniSpace, observed: _Observed, seed: int) -> _Indices:
    """Return a proposal of NNI's evolution: the better of two of its population, one choice drawn anew.

    The tuner takes neither a seed nor what others proposed, so that its population is set to the best of what was
    observed, and filled up with draws as it does itself, which it proposes before it breeds.
    """
    import numpy as np
    from nni.algorithms.hpo.evolution_tuner import EvolutionTuner, Individual

    best = sorted(observed, key=lambda pair: -pair[1])
    tuner = EvolutionTuner("maximize", population_size=_EVOLUTION_POPULATION)
    with _seeded(seed):
        tuner.update_search_space(space)
        tuner.random_state = np.random.RandomState(seed)
        known = [
            Individual({name: {"_index": index, "_value": index} for name, index in indices.items()}, result=reward)
            for indices, reward in best[: tuner.population_size]
        ]
        tuner.population = known
        if len(known) < tuner.population_size:
            tuner._random_generate_individual()
        return dict(tuner.generate_parameters(0))


def _by_gp(space: _NniSpace, observed: _Observed, seed: int) -> _Indices:
    """Return a proposal of NNI's Gaussian process over the indices, an order that only the widths really have.

    The best of _GP_DRAWS draws by expected improvement: the tuner's refinement by gradients fails on today's SciPy, and
    would end between the indices.
    """
    import numpy as np
    from nni.algorithms.hpo.gp_tuner import GPTuner

    tuner = GPTuner("maximize", selection_num_warm_up=_GP_DRAWS, selection_num_starting_points=0)
    # The tuner takes no seed; this is the generator that its draws and its model share.
    tuner._random_state = np.random.RandomState(seed)
    tuner._gp.set_params(random_state=tuner._random_state, n_restarts_optimizer=1)
    tuner.update_search_space(space)
    for number, (indices, reward) in enumerate(observed):
        tuner.receive_trial_result(number, indices, reward)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(tuner.generate_parameters(len(observed)))


# Those of NNI's tuners that need nothing but nni, know categories and can be told what they did not propose. Metis
# fails on today's SciPy; grid search and batches learn nothing; PBT needs checkpoints; the others (Anneal, SMAC, DNGO,
# BOHB, PPO) need packages that nni does not bring.
TUNERS: dict[str, Callable[[_NniSpace, _Observed, int], _Indices | None]] = {
    "TPE": _by_tpe,
    "Random": _by_random,
    "Evolution": _by_evolution,
    "GP": _by_gp,
}


def _observed(problem: SearchProblem, trials: Sequence[Trial]) -> list[tuple[_Indices, float]]:
    """Return what a tuner learns: each measured network once, as indices, with its reward."""
    different = [trial for trial in trials if trial.duplicate_of is None]
    worth = _rewards(different, problem.budget_ms)
    observed = []
    for trial in different:
        if trial.number in worth:
            picks = problem.space.encode(trial.architecture)
            indices = {name: values.index(picks[name]) for name, values in problem.space.choices.items()}
            observed.append((indices, worth[trial.number]))
    return observed


def _rewards(trials: Sequence[Trial], budget_ms: float) -> dict[int, float]:
    """Return the dB by SCALARISATION of each measured trial, by number."""
    trained = {
        trial.number: trial.psnr - _RUNTIME_WEIGHT * math.log(trial.measurement.runtime.median_ms / budget_ms)
        for trial in trials
        if trial.state == "trained" and trial.measurement is not None
    }
    floor = min(trained.values(), default=0.0)
    infeasible = {
        trial.number: floor - _EXCESS_WEIGHT * math.log(trial.measurement.runtime.p90_ms / budget_ms)
        for trial in trials
        if trial.state == "infeasible" and trial.measurement is not None
    }
    return trained | infeasible


def _nni_space(space: SearchSpace) -> _NniSpace:
    """Return a search space in NNI's terms, each value by its index."""
    return {name: {"_type": "choice", "_value": list(range(len(values)))} for name, values in space.choices.items()}


def require_nni() -> None:
    """Import nni quietly; raises InputError where it is missing."""
    try:
        with warnings.catch_warnings():
            # Its age shows in warnings about the packages that it imports.
            warnings.simplefilter("ignore")
            import nni
            from nni.algorithms.hpo import gp_tuner  # noqa: F401 - imports scikit-learn
    except ImportError as error:
        raise InputError(
            f"the sampler nni needs the package nni 3.0 ({error}); pip install 'paretosr[nni]' on x86-64 Linux, "
            f"or choose another --sampler"
        ) from error
    nni.silence_stdout()
    logging.getLogger("nni").setLevel(logging.ERROR)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed Python's global generator, which a tuner draws from, and give it back as it was."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
