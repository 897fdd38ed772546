"""How candidates may be judged, by name."""

from typing import get_args

from nas.config.fidelity import TRAINED_RUNGS, Fidelity


def test_every_fidelity_has_its_rungs_of_training() -> None:
    assert set(TRAINED_RUNGS) == set(get_args(Fidelity))
    assert all(rungs >= 1 for rungs in TRAINED_RUNGS.values())
