"""In which order units go."""

import numpy as np

from prune.selection.ordering import ranks


def test_ranks_are_even_and_prefer_the_first_of_equals() -> None:
    assert ranks(np.array([3.0, 1.0, 2.0])).tolist() == [1.0, 0.0, 0.5]
    assert ranks(np.array([5.0, 5.0, 5.0])).tolist() == [1.0, 0.5, 0.0]
    assert ranks(np.array([7.0])).tolist() == [1.0]
