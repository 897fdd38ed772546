"""What is said of a database has no password."""

import pytest

from sr.addresses import without_password


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg://me:secret@host:5432/studies", "postgresql+psycopg://me@host:5432/studies"),
        ("postgresql://me:a@b:c@host/studies", "postgresql://me@host/studies"),
        ("postgresql://host/studies?user=me&password=secret&x=1", "postgresql://host/studies?user=me&password=&x=1"),
        ("postgresql://me:secret@host:port/studies", "postgresql://me@host:port/studies"),
        ("postgresql://me@host/studies", "postgresql://me@host/studies"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("folder/study.journal", "folder/study.journal"),
        ("search --storage mysql://me:s@h/d --out a@b", "search --storage mysql://me@h/d --out a@b"),
    ],
)  # fmt: skip
def test_password_is_left_out_and_nothing_else(text: str, expected: str) -> None:
    assert without_password(text) == expected
    assert without_password(expected) == expected
