"""A page that is served: fresh, on this machine alone, and made no more often than it may be."""

import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sr.errors import InputError
from sr.report.live import NotYetError, live_page


class Watched:
    """What a page is of: it changes, and each page that is made of it takes a while."""

    def __init__(self) -> None:
        self.state, self.now, self.takes, self.made = "1", 100.0, 0.0, 0

    def build(self) -> str:
        self.made += 1
        self.now += self.takes
        return f"<html><body>state {self.state}</body></html>"

    def stamp(self) -> str:
        return self.state


@pytest.fixture
def watched() -> Watched:
    return Watched()


@contextmanager
def served(build: Callable[[], str], watched: Watched) -> Iterator[Callable[[str], str]]:
    """Yield what reads an address of the page."""
    with live_page(build, watched.stamp, 0, clock=lambda: watched.now) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def read(path: str) -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=30) as answer:
                return answer.read().decode()

        yield read
        server.shutdown()


def test_page_holds_the_stamp_that_it_was_made_at_and_is_made_anew_after_another(watched: Watched) -> None:
    with served(watched.build, watched) as read:
        assert "state 1" in read("/")
        assert re.search(r'shown = "1"', read("/"))
        assert watched.made == 1, "nothing changed"
        watched.state = "2"
        assert read("/stamp") == "2"
        assert "state 2" in read("/")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            read("/etc/passwd")


def test_page_that_takes_long_is_made_seldom(watched: Watched) -> None:
    watched.takes = 2.0
    with served(watched.build, watched) as read:
        read("/")
        watched.state = "2"
        watched.now += 30.0
        assert read("/stamp") == "1", "a page of two seconds rests for 38"
        watched.now += 10.0
        assert read("/stamp") == "2"


def test_page_that_is_not_there_yet_says_so_until_it_is(watched: Watched) -> None:
    def build() -> str:
        if watched.state == "1":
            raise NotYetError("the <search> has only begun")
        return watched.build()

    with served(build, watched) as read:
        waiting = read("/")
        assert "<h1>Not yet</h1>" in waiting
        assert "the &lt;search&gt; has only begun" in waiting
        assert 'shown = "1"' in waiting, "it looks again"
        watched.state = "2"
        assert "state 2" in read("/")


def test_port_that_is_taken_is_named(watched: Watched) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(InputError, match=f"cannot serve on port {port}"),
            live_page(watched.build, watched.stamp, port),
        ):
            pass
