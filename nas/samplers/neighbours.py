"""Proposals near what is good: single changes of the best networks, each brought back to the budget by its depth.

Hill climbing in a neighbourhood where one choice differs (as in Elsken et al., "Simple and efficient architecture
search", 2017), led by the predicted PSNR and kept honest by a global sampler in between.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from nas.larger_sizes import is_larger_size, multi_adds
from nas.samplers.aiming import MOST_SHARE, aimed
from nas.samplers.evolution import MUTATIONS
from nas.samplers.protocol import Picks, Sampler, SearchProblem, first_worthwhile, proposal_seed
from nas.trial import Trial, front_of, promoted_trials, trained_once
from search_spaces.architecture import Architecture, Block
from search_spaces.space import SearchSpace

# Of so many proposals in a row one is the global sampler's, and one fills the front below the budget.
_DISTANT_IN, _FRONT_IN = 6, 6
# Whose single changes are asked, the best first.
_PARENTS = 3
# Of the best design so many larger sizes are tried before anything else.
_LARGER = 3
# Of so many mutations of front members the one with the highest acquisition is proposed.
_DRAWN = 12


class NeighboursOrModel:
    """Single changes of the best networks; in between mutations of the front and what a global sampler proposes.

    Before all, the best of each kind is tried in the form that trains better, then the best in larger sizes of its
    design. The kinds of change take turns (image skip and aggregation, width against depth, a kind in all its
    places, a kind in one of them, the upsampler), so that what the predictor of PSNR knows nothing of is tried too;
    within one turn the change with the highest acquisition goes first.
    """

    def __init__(self, problem: SearchProblem, distant: Sampler) -> None:
        self._problem, self._distant = problem, distant

    def propose(self, number: int, trials: Sequence[Trial]) -> Picks:
        """Return an unseen neighbour of the best; where there is none, a mutation of the front."""
        trained = sorted(trained_once(trials), key=lambda trial: trial.sort_key, reverse=True)
        went_on = promoted_trials(trials)
        if went_on:
            first = self._trained_better(went_on, trials) or self._larger(went_on[0].architecture, trials)
            if first is not None:
                return self._problem.space.encode(first)
        if not trained or number % _DISTANT_IN == 0:
            return self._brought_to_budget(self._distant.propose(number, trials), trials)
        if number % _FRONT_IN != _FRONT_IN - 1:
            found = self._neighbour(number, trained[:_PARENTS], trials)
            if found is not None:
                return self._problem.space.encode(found)
        return first_worthwhile(self._problem, trials, self._mutations(trials, number), best_of=_DRAWN)

    def _trained_better(self, went_on: Sequence[Trial], trials: Sequence[Trial]) -> Architecture | None:
        """Return the best network of a kind that was promoted in the form that trains better; None where all were seen.

        It costs nothing on the device, and what starts slowly would not be promoted by itself; see `promotable`. A kind
        that is behind another one may be ahead in this form.
        """
        space, seen = self._problem.space, {each.architecture.key for each in trials}
        best_of_kinds: dict[str | None, Architecture] = {}
        for trial in went_on:
            best_of_kinds.setdefault(trial.architecture.main_kind, trial.architecture)
        for best in best_of_kinds.values():
            better = best.trained_better
            if better is None or better.key in seen:
                continue
            if {block.kind for block in better.blocks} <= set(space.kinds) and better.image_skip in space.image_skip:
                return better
        return None

    def _larger(self, best: Architecture, trials: Sequence[Trial]) -> Architecture | None:
        """Return the best network that was promoted in a larger size; None where enough were tried, or none fits.

        Deepened to the budget first, then the one of another width that does the most work.
        """
        tried = sum(is_larger_size(each.architecture, best) for each in trials)
        if tried >= _LARGER or self._problem.budget_share(best) is None:
            return None
        seen = {each.architecture.key for each in trials}
        widths = [best.canonical, *changes(self._problem.space, best).get("width", ())]
        filled = (aimed(self._problem, each, least=MOST_SHARE) for each in widths)
        new = [each for each in filled if each is not None and each.key not in seen and is_larger_size(each, best)]
        fitting = [each for each in new if self._problem.is_predicted_feasible(each)]
        return max(fitting, key=lambda each: (each.num_feat == best.num_feat, multi_adds(each)), default=None)

    def _neighbour(self, number: int, parents: Sequence[Trial], trials: Sequence[Trial]) -> Architecture | None:
        """Return the single change that is most worth a try, None where all were seen or none is within the budget.

        Each is deepened as far as the budget allows: a block is worth a hundredth of a dB.
        """
        problem = self._problem
        seen = {trial.architecture.key for trial in trials}
        for parent in parents:
            turns = list(changes(problem.space, parent.architecture).values())
            for turn in range(len(turns)):
                brought = (aimed(problem, each, least=MOST_SHARE) for each in turns[(number + turn) % len(turns)])
                fresh = {each.key: each for each in brought if each is not None and each.key not in seen}
                allowed = [each for each in fresh.values() if problem.is_predicted_feasible(each)]
                if allowed:
                    return max(allowed, key=problem.acquisition)
        return None

    def _brought_to_budget(self, picks: Picks, trials: Sequence[Trial]) -> Picks:
        """Return a distant proposal at the budget; as it is where that cannot be, or was seen."""
        found = aimed(self._problem, self._problem.space.decode(picks))
        if found is None or any(trial.architecture.key == found.key for trial in trials):
            return picks
        return self._problem.space.encode(found)

    def _mutations(self, trials: Sequence[Trial], number: int) -> Iterator[Picks]:
        """Draw mutations of front members without end; the better half by PSNR is twice as likely."""
        rng = random.Random(proposal_seed(self._problem, number))  # noqa: S311 - no secret
        front = front_of(trials)
        parents = [*front, *front[: (len(front) + 1) // 2]]
        while True:
            parent = self._problem.space.encode(rng.choice(parents).architecture.canonical)
            yield self._problem.space.mutate(parent, rng, count=rng.choice(MUTATIONS))


def changes(space: SearchSpace, architecture: Architecture) -> dict[str, list[Architecture]]:
    """Return the architectures of a space that differ from one in a single choice, by what is changed.

    Args:
        space: Whose choices there are.
        architecture: One of it.
    """
    built = architecture.canonical
    kinds = [kind for kind in space.kinds if kind != "identity"]

    def other(name: str) -> list[Architecture]:
        values = [value for value in getattr(space, name) if value != getattr(built, name)]
        return [replace(built, **{name: value}) for value in values]

    at = [index for index, block in enumerate(built.blocks) if block.kind != "identity"]
    present = dict.fromkeys(built.blocks[index].kind for index in at)
    everywhere = [
        _with_kinds(built, {index: new for index in at if built.blocks[index].kind == old})
        for old in present
        for new in kinds
        if new != old
    ]
    somewhere = [_with_kinds(built, {index: new}) for index in at for new in kinds if new != built.blocks[index].kind]
    # Where an engine works on so many channels at once, the next width that pays may be twice the one before.
    near = [width for width in sorted(space.num_feat) if built.num_feat != width and _is_near(width, built.num_feat)]
    found = {
        "skip": [*other("image_skip"), *other("aggregation")],
        "width": [replace(built, num_feat=width) for width in near],
        "kind everywhere": everywhere,
        "kind somewhere": somewhere,
        "upsampler": other("upsampler"),
    }
    return {name: architectures for name, architectures in found.items() if architectures}


def _is_near(width: int, other: int) -> bool:
    """Return whether one of two widths is at most twice the other."""
    return max(width, other) <= 2 * min(width, other)


def _with_kinds(built: Architecture, kinds: dict[int, str]) -> Architecture:
    """Return an architecture with other kinds at some positions."""
    return replace(built, blocks=tuple(Block(kinds.get(index, block.kind)) for index, block in enumerate(built.blocks)))
