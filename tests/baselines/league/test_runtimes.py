"""The runtimes of a league: of one set of rounds, and taken once."""

import pytest

from baselines.league.entries import Entry
from baselines.league.runtimes import runtimes
from baselines.league.setup import Setup
from sr.errors import InputError
from sr.measure.latency import Protocol


def test_runtimes_share_their_reference_and_are_kept(
    by_hand: Entry, searched: Entry, setup: Setup, few: Protocol
) -> None:
    found = runtimes([by_hand, searched], setup, protocol=few)
    assert list(found) == [by_hand.title, searched.title]
    assert len({each.reference_ms for each in found.values()}) == 1
    assert found[by_hand.title].complexity.convs == 3, "measured in deployed form"
    assert runtimes([by_hand, searched], setup, protocol=few) == found
    assert runtimes([by_hand, searched], setup, protocol=few, anew=True) != found
    assert runtimes([by_hand], setup, protocol=few).keys() == {by_hand.title}
    (path, _) = sorted(setup.folder.glob("runtimes-*.json"), key=lambda path: -path.stat().st_size)
    path.write_text('{"a": {}}')
    with pytest.raises(InputError, match="holds no runtimes; remove it"):
        runtimes([by_hand, searched], setup, protocol=few)
