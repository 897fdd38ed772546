"""Short names of networks."""

import pytest

from baselines.league.names import short_name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("ecbsr num_feat=16 num_block=4", "ECBSR 16-4"),
        ("espcn num_feat=8 mid_feat=96 activation=relu bounded=False", "ESPCN 8-96"),
        ("span as published", "SPAN as published"),
        ("searched seed0", "searched seed0"),
        ("pruned at num_feat=16", "pruned at num_feat=16"),
    ],
)
def test_a_short_name_is_as_authors_spell_it_with_numbers_alone(title: str, name: str) -> None:
    assert short_name(title) == name
