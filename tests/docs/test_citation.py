"""What CITATION.cff says is what the package says."""

import tomllib

import yaml

from tests.docs.conftest import ROOT


def test_citation_names_the_version_and_the_licence_of_the_package() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited), "what the format requires"
    assert cited["version"] == package["version"]
    assert cited["license"] == package["license"]
    assert all(each.keys() & {"name", "family-names"} for each in cited["authors"])
