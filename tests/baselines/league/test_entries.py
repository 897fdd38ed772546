"""What stands in a league, by the texts that name it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from baselines import build
from baselines.at_budget import scalable_families
from baselines.league.entries import Entry, modules_of, of_size, parted
from baselines.league.standings import Standings
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated
from search_spaces.network import untrained
from sr.checkpoint import Checkpoint, Description, save
from sr.errors import InputError

LR = torch.zeros(1, 3, 16, 16)


def checkpoint_in(folder: Path) -> Path:
    """Write a small network as a pruning leaves one, and return its file."""
    config = {"name": "abpn", "num_feat": 8, "num_block": 1}
    path = folder / "network.pth"
    save(path, Checkpoint(Description("baseline", config), build(**config).state_dict(), deployed=True))
    return path


def test_all_are_the_families_that_can_be_scaled() -> None:
    assert parted(["all"]) == (scalable_families(), ())
    assert parted(["ecbsr", "all", "span"])[0][0] == "ecbsr"


def test_a_published_size_is_an_entry_of_its_own() -> None:
    families, (entry,) = parted(["span", "span=published"])
    assert families == ("span",)
    assert (entry.title, entry.kind, entry.weights) == ("span as published", "hand-designed", None)
    assert entry.description == Description("baseline", {"name": "span"})


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("ecbsr:num_feat=16:num_block=4", {"num_feat": 16, "num_block": 4}),
        ("espcn:num_feat=8:mid_feat=96:activation=relu:bounded=False",
         {"num_feat": 8, "mid_feat": 96, "activation": "relu", "bounded": False}),
    ],
)  # fmt: skip
def test_a_size_is_an_entry_equal_to_the_member_that_has_it(text: str, config: dict[str, object]) -> None:
    for scale, more in ((4, {}), (2, {"scale": 2})):
        families, (entry,) = parted([text], scale)
        assert families == ()
        assert entry == of_size(text.split(":")[0], config | more)
        assert entry.title == text.replace(":", " ")


def test_networks_of_a_leagues_file_are_entered_as_they_stood_but_for_pruned_ones(
    by_hand: Entry, searched: Entry, standings: Standings, tmp_path: Path
) -> None:
    described = [
        replace(each, title=entry.title, kind=entry.kind, description=entry.description)
        for each, entry in zip(standings.standings, (by_hand, searched), strict=False)
    ]
    league = replace(standings, standings=(*described, standings.standings[3]))
    path = tmp_path / "league.json"
    path.write_text(json.dumps(league.to_json()), encoding="utf-8")
    families, entries = parted([f"league={path}"])
    assert families == ()
    assert entries == (by_hand, searched)
    assert [each.identity for each in entries] == [by_hand.identity, searched.identity]
    path.write_text(json.dumps(standings.to_json()), encoding="utf-8")
    with pytest.raises(InputError, match="is no file that a league left with its networks"):
        parted([f"league={path}"])
    for wrong in ({"family": "nope", "config": {}}, {"family": "searched", "config": {"num_feat": 7}}):
        path.write_text(json.dumps({"networks": [{"title": "a", "kind": "searched", "network": wrong}]}))
        with pytest.raises(InputError, match=r"is no file that a league left with its networks: (the family|this is)"):
            parted([f"league={path}"])
    path.write_text(json.dumps({"networks": []}))
    with pytest.raises(InputError, match="holds no network that is trained from scratch"):
        parted([f"league={path}"])


def test_a_search_is_entered_with_the_architecture_that_it_chose(tmp_path: Path) -> None:
    architecture = repeated(8, "branched_conv", 2)
    run = tmp_path / "run"
    (run / "chosen").mkdir(parents=True)
    (run / "chosen" / "architecture.json").write_text(json.dumps(architecture.to_json()))
    (entry,) = parted([f"search={run}"])[1]
    assert (entry.title, entry.kind) == ("searched run", "searched")
    assert Architecture.from_json(dict(entry.description.config)) == architecture
    assert entry.deployed(entry.start(0))(LR).shape == (1, 3, 64, 64)


def test_a_pruning_is_entered_with_the_network_that_it_exported(tmp_path: Path) -> None:
    path = checkpoint_in(tmp_path / "group")
    results = {"exported": "per-layer (shared)", "network": "group/network.pth"}
    (tmp_path / "results.json").write_text(json.dumps(results))
    (entry,) = parted([f"pruned={tmp_path}"])[1]
    assert (entry.title, entry.kind, entry.weights) == (f"pruned {tmp_path.name}", "pruned", path)


def test_a_pruned_network_starts_from_its_own_weights_whatever_the_seed(tmp_path: Path) -> None:
    (entry,) = parted([f"pruned={checkpoint_in(tmp_path)}"])[1]
    starts = [entry.start(seed).state_dict() for seed in (0, 1)]
    assert all(torch.equal(tensor, starts[1][key]) for key, tensor in starts[0].items())


def test_a_hand_designed_network_starts_in_training_form_from_the_seed(by_hand: Entry) -> None:
    first, again, other = (by_hand.start(seed).state_dict() for seed in (0, 0, 1))
    assert len(first) > len(by_hand.untrained().state_dict())
    assert all(torch.equal(tensor, again[key]) for key, tensor in first.items())
    assert not all(torch.equal(tensor, other[key]) for key, tensor in first.items())


@pytest.mark.numeric
def test_the_deployed_form_computes_what_was_trained(by_hand: Entry, searched: Entry) -> None:
    lr = torch.rand(1, 3, 16, 16)
    for entry in (by_hand, searched, of_size("fsrcnn", {"num_feat": 16, "mid_feat": 8, "num_block": 1})):
        trained = entry.start(0).eval()
        with torch.inference_mode():
            torch.testing.assert_close(entry.deployed(trained)(lr), trained(lr), atol=1e-4, rtol=1e-4)


def test_identity_changes_with_the_size_and_the_weights_and_not_with_the_title(by_hand: Entry, tmp_path: Path) -> None:
    assert by_hand.identity == replace(by_hand, title="another").identity
    wider = of_size("ecbsr", {"num_feat": 12, "num_block": 1})
    assert by_hand.identity["code"] == wider.identity["code"]
    assert by_hand.identity != wider.identity
    assert by_hand.identity["code"] != of_size("abpn", {}).identity["code"]
    first, other = (parted([f"pruned={checkpoint_in(tmp_path / name)}"])[1][0] for name in ("first", "other"))
    assert first.identity["config"] == other.identity["config"]
    assert first.identity["weights"] != other.identity["weights"]


def test_code_is_that_of_parts_and_of_what_they_derive_from() -> None:
    found = modules_of(untrained(repeated(8, "symmetric_residual", 1)))
    derived = ["folding", "symmetry", "wide_reparam"]
    assert set(found) >= {f"search_spaces.{name}" for name in ("network", "blocks", *derived)}
    assert all(name.partition(".")[0] in ("sr", "search_spaces", "baselines") for name in found)


def test_a_league_at_another_scale_has_the_same_families_and_networks_of_its_own(tmp_path: Path) -> None:
    assert parted(["all"], 2) == (scalable_families(2), ())
    (published,) = parted(["span=published"], 2)[1]
    assert published.title == "span as published"
    assert published.description == Description("baseline", {"name": "span", "scale": 2})
    assert published.identity != parted(["span=published"])[1][0].identity
    assert published.deployed(published.start(0))(LR).shape == (1, 3, 32, 32)
    with pytest.raises(InputError, match=r"cfn is a network of x4 alone; those that have x3 are msrresnet, .*"):
        parted(["cfn=published"], 3)
    with pytest.raises(InputError, match=r"pruned network is x4: it has no place in a league of --scale 3"):
        parted([f"pruned={checkpoint_in(tmp_path)}"], 3)


def test_a_title_says_the_size_and_not_the_scale_that_all_share() -> None:
    entry = of_size("ecbsr", {"num_feat": 8, "num_block": 1, "scale": 2})
    assert entry.title == of_size("ecbsr", {"num_feat": 8, "num_block": 1}).title == "ecbsr num_feat=8 num_block=1"
    assert entry.untrained()(LR).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["resnet"], "--entries takes all, .*; got 'resnet'"),
        (["imdn"], "of the families msrresnet, .*; got 'imdn'"),
        (["nothing=published"], "got 'nothing=published'"),
        (["span=wide"], "got 'span=wide'"),
        (["nothing:num_feat=8"], "a baseline is one of .*; got 'nothing'"),
        (["ecbsr:num_feat=a"], "ecbsr's num_feat must be of type int, got 'a'"),
        (["ecbsr:"], "ecbsr is configured by .*; got ''"),
        (["ecbsr:scale=2"], "--scale says how many times networks enlarge, not --entries; got 'ecbsr:scale=2'"),
        (["search=nowhere"], "is no folder of a finished search"),
        (["league=nowhere"], "league=nowhere is no file that a league left with its networks"),
        (["pruned=nowhere"], "is neither a checkpoint nor a folder of a finished pruning"),
        (["span=published", "span=published"], "two networks the name 'span as published'"),
    ],
)
def test_what_is_no_entry_is_refused_in_one_line(texts: list[str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parted(texts)
