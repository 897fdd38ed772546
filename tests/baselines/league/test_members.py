"""The members at a budget are looked for once."""

from dataclasses import replace

from baselines.at_budget import sizes_of
from baselines.league.members import members
from baselines.league.setup import Setup
from sr.measure.latency import Protocol
from sr.measure.latency_model import USUAL
from sr.progress import Event, Message

FAMILY = "bicubic_pp"


def test_members_are_found_remembered_and_found_again_for_another_budget(setup: Setup, few: Protocol) -> None:
    events: list[Event] = []
    found = members([FAMILY], setup, USUAL, shapes=2, protocol=few, report=events.append)
    assert [each.title for each in found[FAMILY]] == [f"{FAMILY} num_feat={width} num_block=8" for width in (128, 96)]
    assert dict(found[FAMILY][0].description.config) == {"name": FAMILY, **sizes_of(FAMILY)[-1]}
    # On a busy machine a second one says so.
    assert str(events[0]) == "looking in 1 families for the largest networks within 60000 ms"
    assert all("disturbed the measuring of bicubic_pp" in str(event) for event in events[1:])
    events.clear()
    assert members([FAMILY], setup, USUAL, shapes=2, protocol=few, report=events.append) == found
    assert events == []
    assert members([FAMILY], replace(setup, budget_ms=1e-6), USUAL, protocol=few, report=events.append) == {}
    assert events[-1] == Message("no Bicubic++ is within 1e-06 ms")


def test_members_at_another_scale_are_kept_apart(setup: Setup, setup_at_x2: Setup, few: Protocol) -> None:
    usual = members([FAMILY], setup, USUAL, shapes=1, protocol=few)
    (entry,) = members([FAMILY], setup_at_x2, USUAL, shapes=1, protocol=few)[FAMILY]
    assert dict(entry.description.config) == {**usual[FAMILY][0].description.config, "scale": 2}
    assert entry.title == usual[FAMILY][0].title
    assert len(list(setup.folder.glob("members-*.json"))) == 2
    events: list[Event] = []
    assert members([FAMILY], setup, USUAL, shapes=1, protocol=few, report=events.append) == usual
    assert events == []
