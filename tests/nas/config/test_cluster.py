"""What names a cluster, and what does not."""

import pytest

from nas.config.cluster import check_artifacts, check_cluster
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


def test_weights_lie_in_a_folder() -> None:
    check_artifacts(None)
    check_artifacts("/shared/forty")
    with pytest.raises(InputError, match=r"^--artifacts must be a folder, got s3://bucket/forty; mount"):
        check_artifacts("s3://bucket/forty")
    with pytest.raises(InputError, match="must be a folder"):
        SearchConfig(budget_ms=40.0, artifacts="s3://bucket/forty")
