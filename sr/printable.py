"""Names and messages as a line can hold them, whatever bytes they are of."""


def printable(text: object) -> str:
    """Return a path or a message on one line that every terminal of UTF-8 shows, whatever bytes a name is of."""
    escaped = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in escaped)
