"""The members at a budget are looked for once."""

from dataclasses import replace

from baselines.at_budget import sizes_of
from baselines.league.members import members
from baselines.league.setup import Setup
from sr.measure.latency import Protocol
from sr.measure.latency_model import USUAL
from sr.progress import Event, Message


def test_members_are_found_remembered_and_found_again_for_another_budget(setup: Setup, few: Protocol) -> None:
    events: list[Event] = []
    (entry,) = members(["bicubic_pp"], setup, USUAL, protocol=few, report=events.append)
    assert entry.title == "bicubic_pp num_feat=128 num_block=8"
    assert dict(entry.description.config) == {"name": "bicubic_pp", **sizes_of("bicubic_pp")[-1]}
    # On a busy machine a second one says so.
    assert str(events[0]) == "looking in 1 families for the largest network within 60000 ms"
    assert all("disturbed the measuring of bicubic_pp" in str(event) for event in events[1:])
    events.clear()
    assert members(["bicubic_pp"], setup, USUAL, protocol=few, report=events.append) == [entry]
    assert events == []
    assert members(["bicubic_pp"], replace(setup, budget_ms=1e-6), USUAL, protocol=few, report=events.append) == []
    assert events[-1] == Message("no Bicubic++ is within 1e-06 ms")


def test_members_at_another_scale_are_kept_apart(setup: Setup, setup_at_x2: Setup, few: Protocol) -> None:
    (usual,) = members(["bicubic_pp"], setup, USUAL, protocol=few)
    (entry,) = members(["bicubic_pp"], setup_at_x2, USUAL, protocol=few)
    assert dict(entry.description.config) == {**usual.description.config, "scale": 2}
    assert entry.title == usual.title
    assert len(list(setup.folder.glob("members-*.json"))) == 2
    events: list[Event] = []
    assert members(["bicubic_pp"], setup, USUAL, protocol=few, report=events.append) == [usual]
    assert events == []
