"""Records that come from elsewhere: what is not of its kind is named where they are read."""

from pathlib import Path
from typing import Any

import pytest

from nas.optuna_backend.stored import check_settings, key_to_remember, recorded, settings_of
from nas.optuna_backend.study import OptunaStudy
from search_spaces import SPACES
from sr.errors import InputError

WHOLE: dict[str, Any] = {
    "space": "msrresnet", "scale": 4, "budget_ms": 40, "conditions": {"engine": "torch", "lr_size": [256, 256]},
    "recipe": {"seed": 0}, "phase": "done", "fidelity": "rungs", "sampler": "mixed", "final_recipe": {"steps": 10},
    "pictures": {"train": {"count": 2, "fingerprint": "a"}, "val": {"count": 1, "fingerprint": "b"}}, "workers": 1,
}  # fmt: skip


def test_settings_of_a_search_are_as_they_are_to_be_and_some_may_be_missing() -> None:
    check_settings(WHOLE)
    for name in WHOLE:
        check_settings({key: value for key, value in WHOLE.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("budget_ms", "40", "its budget_ms cannot be '40'"),
        ("scale", True, "its scale cannot be True"),
        ("pictures", [1], r"its pictures cannot be \[1\]"),
        ("pictures", {"val": 3}, "its pictures for val cannot be 3"),
        ("pictures", {"val": {"count": 3}}, "its fingerprint of the pictures for val cannot be None"),
        ("pictures", {"val": {"count": "3", "fingerprint": "a"}}, "its number of pictures for val cannot be '3'"),
        ("conditions", None, "its conditions cannot be None"),
        ("conditions", {"lr_size": "abc"}, "its LR size cannot be 'abc'"),
        ("conditions", {"lr_size": [256]}, r"its LR size cannot be \[256\]"),
        ("final_recipe", {"steps": "many"}, "its steps cannot be 'many'"),
    ],
)
def test_setting_of_another_kind_is_named(name: str, value: object, said: str, tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        check_settings({**WHOLE, name: value})
    journal = str(tmp_path / "study.journal")
    OptunaStudy(SPACES["msrresnet"], "search", journal, 40.0).remember({**WHOLE, name: value})
    with pytest.raises(InputError, match=f"holds what no search of this version leaves: {said}; take its copy"):
        recorded(journal)


def test_what_two_processes_remember_at_once_is_kept_and_what_belongs_together_stays_so() -> None:
    kept: dict[str, Any] = {key_to_remember({}, "a"): {"phase": "search", "workers": None}}
    # Both look before either writes.
    ours, theirs = (key_to_remember(kept, who) for who in ("a", "b"))
    kept |= {theirs: {"phase": "training", "chosen": 7, "final_recipe": 70}, ours: {"workers": 2, "chosen": 5}}
    assert settings_of(kept) == {"phase": "training", "workers": 2, "chosen": 7, "final_recipe": 70}
    kept[key_to_remember(kept, "a")] = {"phase": "done"}
    assert settings_of(kept) == {"phase": "done", "workers": 2, "chosen": 7, "final_recipe": 70}


def test_processes_add_to_what_a_study_remembers(tmp_path: Path) -> None:
    journal = str(tmp_path / "study.journal")
    one, other = (OptunaStudy(SPACES["msrresnet"], "search", journal, 40.0) for _ in range(2))
    one.remember(WHOLE)
    other.remember({"known": 1.0})
    one.remember({"workers": 2})
    assert one.settings == other.settings == WHOLE | {"known": 1.0, "workers": 2}
    assert recorded(journal) == (one.settings, [])
