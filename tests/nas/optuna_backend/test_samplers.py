"""What is Optuna's own in its samplers."""

from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.samplers import TPESampler

from nas.optuna_backend.samplers import NsgaSampler, TpeSampler, mixed
from nas.optuna_backend.storage import open_storage
from nas.optuna_backend.study import OptunaStudy
from nas.optuna_backend.trials import distributions
from nas.samplers.protocol import SearchProblem, proposal_seed
from nas.samplers.random_search import samples
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated
from search_spaces.space import SearchSpace

Outcome = Callable[[int, Architecture], Trial]
SPACE = SPACES["msrresnet"]


def test_tpe_of_the_default_is_optuna_s_own(tmp_path: Path, outcome: Outcome) -> None:
    """What the sampler rebuilds from the trials is what Optuna's sampler sees in the record itself."""
    problem, where = SearchProblem(SPACE, 3, 100.0), str(tmp_path / "study.journal")
    study = OptunaStudy(SPACE, "s", where, 100.0)
    study.enqueue(SPACE.seeds)
    sampler = mixed(problem)
    for _ in SPACE.seeds:
        number, architecture = study.ask(sampler.propose)
        study.tell(outcome(number, architecture))
    number = len(SPACE.seeds)
    proposed = TpeSampler(problem).propose(number, study.trials)
    # The default asks it every sixth time, and where no runtime is known leaves its network as it is.
    assert number % 6 == 0
    assert SPACE.decode(sampler.propose(number, study.trials)).key == SPACE.decode(proposed).key
    own = TPESampler(multivariate=True, n_startup_trials=number, seed=proposal_seed(problem, number) % 2**32)
    record = optuna.load_study(study_name="s", storage=open_storage(where), sampler=own)
    assert record.ask(distributions(SPACE)).params == proposed


def test_nsga2_breeds_survivors_once_a_generation_is_full(outcome: Outcome) -> None:
    problem = SearchProblem(SPACE, 0, 100.0)
    sampler = NsgaSampler(problem, population=4)
    trials = [outcome(number, seed) for number, seed in enumerate(SPACE.seeds)]
    trained = [trial for trial in trials if trial.state == "trained"]
    parents = [SPACE.encode(trial.architecture.canonical) for trial in trained]
    first = sampler.propose(3, trials[:3])
    assert first == next(samples(problem, 3))
    child = sampler.propose(len(trials), trials)
    # Three mutations at the most, everything else from one of the parents.
    inherited = [any(child[name] == parent[name] for parent in parents) for name in child]
    assert inherited.count(False) <= 3


def test_exhausted_space_still_answers(tmp_path: Path, outcome: Outcome) -> None:
    space = SearchSpace(
        name="tiny", positions=2, kinds=("branched_conv", "idle", "identity"), num_feat=(8, 16),
        upsampler=("one_step",), image_skip=("nearest",), aggregation=("none",),
        seeds=(repeated(8, "branched_conv", 1),),
    )  # fmt: skip
    study = OptunaStudy(space, "s", str(tmp_path / "study.journal"), 100.0)
    study.enqueue(space.seeds)
    sampler = mixed(SearchProblem(space, 0, 100.0))
    keys = []
    for _ in range(40):
        number, architecture = study.ask(sampler.propose)
        study.tell(outcome(number, architecture))
        keys.append(architecture.key)
    assert len(set(keys)) <= space.networks
