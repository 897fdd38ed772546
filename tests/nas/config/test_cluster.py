"""What names a cluster, and what does not."""

from pathlib import Path

import pytest

from nas.config.cluster import check_cluster, weights_place
from nas.config.search import SearchConfig
from sr.errors import InputError


@pytest.mark.parametrize("name", [None, "auto", "local", "ray://head:10001", "ray://10.0.0.7:10001", "ray://[::1]:1"])
def test_a_cluster_is_that_of_this_machine_or_at_an_address(name: str | None) -> None:
    check_cluster(name, None)


@pytest.mark.parametrize("name", ["", "head", "head:10001", "ray://head", "http://head:10001", "ray://a b:1"])
def test_what_names_no_cluster_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^--cluster must be auto, local or ray://HOST:10001, got "):
        check_cluster(name, None)


def test_nodes_know_their_devices_themselves() -> None:
    with pytest.raises(InputError, match=r"give --device alone, got --devices cuda:0,cuda:1$"):
        SearchConfig(budget_ms=40.0, cluster="auto", devices="cuda:0,cuda:1")


def test_weights_lie_in_a_folder_or_a_bucket_that_nodes_reach() -> None:
    assert weights_place(None, None) is None
    assert weights_place("shared/forty", None) == Path("shared/forty")
    assert weights_place("s3://bucket/forty", "auto") == "s3://bucket/forty"
    in_bucket = SearchConfig(budget_ms=40.0, artifacts="s3://bucket/forty", cluster="auto")
    assert (in_bucket.weights, in_bucket.bucket) == (None, "s3://bucket/forty")
    in_folder = SearchConfig(budget_ms=40.0, artifacts="shared")
    assert (in_folder.weights, in_folder.bucket) == (Path("shared"), None)
    with pytest.raises(InputError, match=r"^--artifacts s3://bucket/forty is for the nodes of a cluster"):
        SearchConfig(budget_ms=40.0, artifacts="s3://bucket/forty")
    with pytest.raises(InputError, match=r"^--artifacts must be a folder or the URL of a bucket as text, got .*s3:/b"):
        weights_place(Path("s3://bucket/forty"), "auto")
