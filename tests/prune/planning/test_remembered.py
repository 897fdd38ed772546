"""A plan in its folder."""

from pathlib import Path

import pytest

from prune.planning.remembered import Planned, planned_before, remember
from prune.planning.time_plan import Speeds, Steps
from sr.errors import InputError

PLANNED = Planned(Steps(4, 20, 80, 700), Speeds(0.1, 0.2, 0.3, 4.0, 5.0, 6.0), {"precision": "float32"}, is_final=True)


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    assert planned_before(tmp_path) is None
    remember(tmp_path, PLANNED)
    assert planned_before(tmp_path) == PLANNED


@pytest.mark.parametrize("content", ["", "[]", '{"steps": {}}', '{"steps": {"pace": 3}}'])
def test_a_file_that_is_no_plan_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "planned.json").write_text(content)
    with pytest.raises(InputError, match="is no plan of a pruning; name another --out"):
        planned_before(tmp_path)
