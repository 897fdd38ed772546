"""Where a cluster is not there, or Ray is not, one line says what to do."""

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from sr.errors import InputError
from sr.executors.ray_cluster.connection import connected, imported, nodes


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def without_ray(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "ray" else found(name, package)

    monkeypatch.setattr("importlib.util.find_spec", without_ray)
    with pytest.raises(InputError, match=r"^a cluster takes Ray.*pip install 'paretosr\[cluster\]'$"):
        imported()


@pytest.mark.usefixtures("cluster")
def test_a_connection_that_is_there_is_used_and_stays() -> None:
    ray = imported()
    with connected("auto"):
        assert [node.resources["CPU"] for node in nodes()] == [2.0]
    assert ray.is_initialized()
