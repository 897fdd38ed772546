"""The control: draws of the space that learn nothing."""

from itertools import islice

from nas.samplers.protocol import SearchProblem
from nas.samplers.random_search import RandomSearch, samples
from nas.trial import Trial


def test_proposal_is_a_draw_of_the_space_whatever_was_observed(
    problem: SearchProblem, observed: tuple[Trial, ...]
) -> None:
    sampler = RandomSearch(problem)
    assert sampler.propose(40, []) == next(samples(problem, 40))
    seen = {trial.architecture.key for trial in observed}
    for number in range(40, 60):
        unseen = (
            picks for picks in islice(samples(problem, number), 50) if problem.space.decode(picks).key not in seen
        )
        assert sampler.propose(number, observed) == next(unseen)
