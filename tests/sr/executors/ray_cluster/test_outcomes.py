"""What an error of Ray's says to whoever asked for the work."""

import pytest

from sr.errors import InputError
from sr.executors.ray_cluster.outcomes import raised, reason


class CausedError(Exception):
    """As Ray's errors are that hold what work raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("a long traceback")
        self.cause = cause


def test_what_work_raised_is_raised_with_where_as_its_cause() -> None:
    error = CausedError(ValueError("no such number"))
    own = raised(error)
    assert str(own) == "no such number"
    assert own.__cause__ is error
    plain = ValueError("of no task")
    assert raised(plain) is plain


def test_a_node_that_lacks_a_module_is_told_what_to_install() -> None:
    with pytest.raises(InputError, match=r"lacks what this machine has \(No module named 'nas'\); install the same"):
        raise raised(CausedError(ModuleNotFoundError("No module named 'nas'")))


def test_the_reason_is_the_last_line_and_no_longer_than_one() -> None:
    assert reason(RuntimeError("The actor died.\n\tpid: 7\nIts node was lost.\n")) == "Its node was lost."
    assert reason(RuntimeError()) == "RuntimeError"
    assert len(reason(RuntimeError("x" * 1000))) == 303
