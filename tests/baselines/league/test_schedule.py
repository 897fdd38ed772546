"""How long a league takes, and how far it has come."""

from baselines.league.entries import Entry
from baselines.league.learning_rate import choose
from baselines.league.schedule import Overall, Plan, plan
from baselines.league.setup import Setup
from baselines.league.training import train
from sr.progress import Event, Message, Step


def test_a_plan_counts_what_is_left(by_hand: Entry, setup: Setup) -> None:
    everything = plan(by_hand, range(2), setup)
    assert (everything.seeds, everything.rates) == ((0, 1), 2)
    assert everything.recipe.memory_format != "fastest"
    assert everything.recipe.solve_output
    # Two short trainings of a step, and two of four.
    assert everything.seconds == 10 * everything.seconds_per_step > 0
    choose(by_hand, everything.recipe, setup)
    train(by_hand, everything.recipe, setup)
    rest = plan(by_hand, range(2), setup)
    assert (rest.seeds, rest.rates) == ((1,), 0)
    nothing = plan(by_hand, range(1), setup)
    assert (nothing.seeds, nothing.seconds) == ((), 0.0)


def test_steps_of_trainings_add_up_by_how_long_they_take(setup: Setup) -> None:
    events: list[Event] = []
    slow, fast = Plan(setup.recipe, 2.0, (0,), rates=0), Plan(setup.recipe, 1.0, (0, 1), rates=0)
    overall = Overall({"slow": slow, "fast": fast}, events.append)
    assert (overall.seconds, overall.progress.total) == (16.0, 16)
    for told in (overall.of(slow), overall.of(fast)):
        told(Step("a training", 2, 4, "step", 1.0))
        told(Step("a training", 4, 4, "step", 0.0, ended=True))
    second = overall.of(fast)
    second(Message("a message"))
    second(Step("another", 3, 4, "step", 0.0, note="loss 0.1"))
    assert [event.done for event in events if isinstance(event, Step)] == [4, 8, 10, 12, 15]
    assert events[-2:] == [Message("a message"), events[-1]]
    assert isinstance(events[-1], Step)
    assert events[-1].note == "another: 3/4, loss 0.1"


def test_trainings_one_after_another_begin_anew(setup: Setup) -> None:
    events: list[Event] = []
    its = Plan(setup.recipe, 1.0, (0, 1), rates=0)
    told = Overall({"one": its}, events.append).of(its)
    for done in (2, 4, 1, 4):
        told(Step("a training", done, 4, "step", 1.0))
    assert [event.done for event in events if isinstance(event, Step)] == [2, 4, 5, 8]
