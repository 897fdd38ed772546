"""Addresses of databases as they may be said, written down and sent around."""

import re

# What stands between a user's name and the last @ before the host, and what is given by name.
_OF_USER = re.compile(r"(?<=://)([^:/?#@\s]*):[^/\s]*@")
_BY_NAME = re.compile(r"([?&]password=)[^&\s]*")


def without_password(text: str) -> str:
    """Return a text without the passwords of the addresses in it; all else stays as it is.

    An address without one is an address still: PostgreSQL's clients read passwords from ~/.pgpass or PGPASSWORD.
    """
    return _BY_NAME.sub(r"\1", _OF_USER.sub(r"\1@", text))
