"""Architectures brought to the budget by their depth, and their width where depth alone cannot."""

from dataclasses import replace

from nas.samplers.protocol import SearchProblem
from search_spaces.architecture import Architecture, Block
from search_spaces.space import SearchSpace

# The best network lies just within the budget: what is predicted to leave more than this share of it unused seldom is.
LEAST_SHARE = 0.8
# What is aimed at: two measurements of one network differ by some hundredths, and a candidate that just keeps to the
# budget may be over it when it is shipped.
MOST_SHARE = 0.97
_MOST_STEPS = 40
# A seed that is predicted to use such a share is near enough: little was measured yet, and what is predicted a little
# over the budget may be the best of all. One that is farther beyond it than the last is of no use at any depth.
_SEED_SHARES, _BEYOND = (0.7, 1.25), 3.0


def first_candidates(problem: SearchProblem) -> list[Architecture]:
    """Return what a search begins with: the smallest seed of the space, then all seeds, brought to the budget.

    So that on a device of any speed the kinds and widths that are known to be good start near its budget. Where that
    binds none of them they stay as they are.
    """
    seeds = problem.space.seeds
    smallest = min(seeds, key=lambda seed: seed.num_feat * len(seed.canonical.blocks), default=None)
    if smallest is None:
        return []
    shares = [problem.budget_share(seed) for seed in seeds]
    binds = any(share is not None and share > _SEED_SHARES[0] for share in shares)
    found = [smallest]
    for seed, share in zip(seeds, shares, strict=True):
        if seed is smallest or (share is not None and share > _BEYOND):
            continue
        is_near = not binds or share is None or _SEED_SHARES[0] <= share <= _SEED_SHARES[1]
        brought = seed if is_near else aimed(problem, seed)
        # One that was brought may be another seed, or another one that was.
        if brought is not None and (not binds or brought.key not in {each.key for each in found}):
            found.append(brought)
    return found


def aimed(problem: SearchProblem, architecture: Architecture, least: float = LEAST_SHARE) -> Architecture | None:
    """Return the architecture, deeper or shallower by blocks of its most frequent kind until it is near the budget.

    Args:
        problem: What is searched; where it knows no runtimes the architecture stays what it is.
        architecture: Of the problem's space.
        least: The share of the budget that it is to use at least, where that can be.

    Returns:
        One that is likely to keep to the budget, the nearest to it below; None where there is none.
    """
    built = architecture.canonical
    share = problem.budget_share(built)
    if share is None:
        return built
    for _ in range(_MOST_STEPS):
        if share > MOST_SHARE:
            smaller = _shallower(built, problem.space) or _narrower(built, problem.space.num_feat)
            if smaller is None:
                return None
            built = smaller
        elif share < least:
            deeper = _deeper(built, problem.space.positions)
            larger = None if deeper is None else problem.budget_share(deeper)
            if deeper is None or larger is None or larger > MOST_SHARE:
                return built
            built = deeper
        else:
            return built
        share = problem.budget_share(built)
        assert share is not None
    return built if share <= MOST_SHARE else None


def _deeper(built: Architecture, positions: int) -> Architecture | None:
    """Return it with one more block of its most frequent kind, after the last of them; None where there is no place."""
    kind = built.main_kind
    if kind is None or len(built.blocks) >= positions:
        return None
    last = max(index for index, block in enumerate(built.blocks) if block.kind == kind)
    return replace(built, blocks=(*built.blocks[: last + 1], Block(kind), *built.blocks[last + 1 :]))


def _shallower(built: Architecture, space: SearchSpace) -> Architecture | None:
    """Return it without the last block of its most frequent kind; None where no other is left, or none may be."""
    if len(built.blocks) < 2 or "identity" not in space.kinds:
        return None
    kind = built.main_kind
    last = max(index for index, block in enumerate(built.blocks) if block.kind == kind)
    return replace(built, blocks=built.blocks[:last] + built.blocks[last + 1 :])


def _narrower(built: Architecture, widths: tuple[int, ...]) -> Architecture | None:
    """Return it at the next width below; None where there is none."""
    below = [width for width in widths if width < built.num_feat]
    return replace(built, num_feat=max(below)) if below else None
