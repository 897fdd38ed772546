"""A whole league, and what it does not do twice."""

from dataclasses import replace

import torch

from baselines.league.entries import Entry, of_size
from baselines.league.hold import hold, measured_again
from baselines.league.setup import Setup
from baselines.league.standings import Standings
from sr.checkpoint import load_network
from sr.measure.latency import Protocol
from sr.progress import Event, Message, Step


def test_every_entry_is_measured_and_trained_by_every_seed_once(
    by_hand: Entry, searched: Entry, setup: Setup, few: Protocol
) -> None:
    events: list[Event] = []
    seen: list[Standings] = []
    standings = hold([by_hand, searched], 2, setup, protocol=few, after_seed=seen.append, report=events.append)
    assert [len(each.standings[0].results) for each in seen] == [1, 2]
    assert seen[-1] == standings
    assert [(each.title, [result.seed for result in each.results]) for each in standings.standings] == [
        (by_hand.title, [0, 1]), ("searched a", [0, 1]),
    ]  # fmt: skip
    assert all(set(result.quality) == {"two", "one"} for each in standings.standings for result in each.results)
    texts = [event.text for event in events if isinstance(event, Message)]
    assert texts[0] == "measuring 2 networks in torch"
    assert texts[1].startswith("4 trainings are left, which take about")
    assert sum(", seed " in text for text in texts) == 4
    last = [event for event in events if isinstance(event, Step)][-1]
    assert (last.label, last.ended) == ("league", True)

    events.clear()
    assert hold([by_hand, searched], 2, setup, protocol=few, report=events.append) == standings
    assert [event.text for event in events if isinstance(event, Message)] == [
        "0 trainings are left, which take about 0 s"
    ]


def test_measuring_again_trains_nothing_and_shows_what_was_trained(
    by_hand: Entry, searched: Entry, setup: Setup, few: Protocol
) -> None:
    held = hold([by_hand], 1, setup, protocol=few)
    files = set((setup.folder / "trainings").rglob("*"))
    events: list[Event] = []
    again = measured_again([by_hand, searched], setup, protocol=few, report=events.append)
    assert [each.results for each in again.standings] == [held.standings[0].results, ()]
    assert again.bicubic == held.bicubic
    assert set((setup.folder / "trainings").rglob("*")) == files
    assert [event.text for event in events if isinstance(event, Message)] == [
        "measuring 2 networks in torch",
        f"searched a has not been trained in {setup.folder} like this: it has a runtime alone",
    ]


def test_another_length_stands_beside_the_first(by_hand: Entry, setup: Setup, few: Protocol) -> None:
    hold([by_hand], 1, setup, protocol=few)
    longer = replace(setup, recipe=replace(setup.recipe, steps=6))
    standings = hold([by_hand], 1, longer, protocol=few)
    assert standings.lengths == [4, 6]


def test_one_network_under_two_titles_is_trained_once(by_hand: Entry, setup: Setup, few: Protocol) -> None:
    events: list[Event] = []
    twin = replace(by_hand, title="twin")
    standings = hold([by_hand, twin], 1, setup, protocol=few, report=events.append)
    assert standings.standings[0].results == standings.standings[1].results
    assert sum(", seed " in event.text for event in events if isinstance(event, Message)) == 1


def test_a_league_at_another_scale_trains_and_judges_by_its_pictures(setup_at_x2: Setup, few: Protocol) -> None:
    entry = of_size("ecbsr", {"num_feat": 8, "num_block": 1, "scale": 2})
    standings = hold([entry], 1, setup_at_x2, protocol=few)
    assert (standings.scale, standings.to_json()["scale"]) == (2, 2)
    (standing,) = standings.standings
    assert standing.results[0].quality["one"].pictures == 1
    (kept,) = (setup_at_x2.folder / "trainings").rglob("*.pth")
    assert load_network(kept)(torch.rand(1, 3, 16, 18)).shape == (1, 3, 32, 36)
