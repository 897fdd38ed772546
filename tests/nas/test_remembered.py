"""What a run finds out once and a later one reads."""

from pathlib import Path

import pytest

from nas.remembered import remembered
from sr.errors import InputError


def test_values_that_were_found_are_not_looked_for_again(tmp_path: Path) -> None:
    path, answers = tmp_path / "found.json", iter([{"steps": 3}, {"steps": 4}])
    assert [remembered(path, lambda: next(answers)) for _ in range(2)] == [{"steps": 3}] * 2


@pytest.mark.parametrize("content", ["{", ""])
def test_file_that_holds_no_json_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"found\.json is not what an earlier run left there; remove it"):
        remembered(path, dict)
    assert path.read_text() == content
