"""Proposals by chance alone: the control that every other engine has to beat."""

import random
from collections.abc import Iterator, Sequence

from nas.engine import Terms, derived_seed, first_worthwhile
from nas.trial import Trial
from search_spaces.space import Value


class RandomSearch:
    """Draws of the space, its depths evenly, that learn nothing from what was told."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms

    def propose(self, number: int, trials: Sequence[Trial]) -> dict[str, Value]:
        """Return a draw of the space, unseen and promising where possible."""
        return first_worthwhile(self.terms, trials, samples(self.terms, number))


def samples(terms: Terms, number: int) -> Iterator[dict[str, Value]]:
    """Draw from the space without end, by the seed of one trial."""
    rng = random.Random(derived_seed(terms.seed, number))  # noqa: S311 - no secret
    while True:
        yield terms.space.sample(rng)
