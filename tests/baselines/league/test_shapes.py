"""The best of a family is chosen by short trainings, which are done once."""

import json

from baselines.league.entries import of_size
from baselines.league.setup import Setup
from baselines.league.shapes import best_shapes
from sr.progress import Event, Message

OTHER = "bicubic_pp"


def test_the_best_shape_is_that_of_the_best_short_training_and_is_chosen_again_without_one(setup: Setup) -> None:
    shapes = {
        "ecbsr": [of_size("ecbsr", {"num_feat": width, "num_block": 1}) for width in (12, 8)],
        OTHER: [of_size(OTHER, {"num_feat": 8, "num_block": 1})],
    }
    events: list[Event] = []
    chosen = best_shapes(shapes, setup, report=events.append)
    kept = [json.loads(path.read_text()) for path in (setup.folder / "rates").iterdir()]
    reached = {each["title"]: each["psnr"] for each in kept}
    assert set(reached) == {each.title for each in shapes["ecbsr"]}
    assert [each.title for each in chosen] == [max(reached, key=reached.__getitem__), shapes[OTHER][0].title]
    announced, line = [str(event) for event in events if isinstance(event, Message)]
    assert announced.startswith("2 short trainings choose shapes, which take about ")
    assert line.startswith(f"ECBSR: {chosen[0].title} of ")
    events.clear()
    assert best_shapes(shapes, setup, report=events.append) == chosen
    assert [str(event) for event in events] == [line]
