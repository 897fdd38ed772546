"""A page on this machine's own address that shows itself anew as what it is of changes."""

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator

from sr.errors import InputError
from sr.report.page import document

_LOOPBACK = "127.0.0.1"
# After a page was made none is for so many times as long: at most a twentieth of the time goes into pages.
_REST = 19
# Asks now and then whether anything changed; a page that is used, shows a panel or is out of sight is left alone.
_REFRESH = """<script>
(() => {
  const every = 2000, shown = STAMP;
  let used = -Infinity;
  for (const kind of ["pointermove", "pointerdown", "keydown", "scroll"]) {
    addEventListener(kind, () => { used = performance.now(); }, { passive: true });
  }
  const look = async () => {
    const isUsed = performance.now() - used < 2 * every;
    if (!isUsed && !document.hidden && !document.querySelector("dialog[open]")) {
      try {
        const now = await (await fetch("stamp", { cache: "no-store" })).text();
        if (now !== shown) { location.reload(); return; }
      } catch (gone) {
        document.title = `(ended) ${document.title}`;
        return;
      }
    }
    setTimeout(look, every);
  };
  setTimeout(look, every);
})();
</script>
"""


class NotYetError(InputError):
    """There is no page yet of what has only begun; one line says when it comes."""


class _Fresh:
    """A page that is made when it is asked for and what it is of has changed, and takes little of the time for that.

    Whoever watches a search on the device that it measures must not be what it measures.
    """

    def __init__(self, build: Callable[[], str], stamp: Callable[[], str], clock: Callable[[], float]) -> None:
        self._build, self._stamp, self._clock = build, stamp, clock
        self._lock = threading.Lock()
        self._shown, self._page, self._rests_until = "", "", 0.0

    def stamp(self) -> str:
        """Return what changes once the page would; while it rests that of the page that was made last."""
        with self._lock:
            return self._shown if self._page and self._clock() < self._rests_until else self._stamp()

    def page(self) -> str:
        """Return the page with what keeps it fresh, or in words why there is none yet."""
        with self._lock:
            stamp, began = self._stamp(), self._clock()
            if not self._page or stamp != self._shown:
                self._page, self._shown = _built(self._build, stamp), stamp
                self._rests_until = self._clock() + _REST * (self._clock() - began)
            return self._page


@contextlib.contextmanager
def live_page(
    build: Callable[[], str],
    stamp: Callable[[], str],
    port: int,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[http.server.ThreadingHTTPServer]:
    """Yield a server of a page on loopback alone; the caller serves until it has enough.

    Args:
        build: Makes the page; an InputError says in one line why there is none yet.
        stamp: What changes whenever the page would.
        port: 0 for any that is free.
        clock: The time in seconds.

    Raises:
        InputError: Where the port is taken.
    """
    fresh = _Fresh(build, stamp, clock)

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers with the page or its stamp; writes no log."""

        def do_GET(self) -> None:
            """Answer one request."""
            if self.path == "/stamp":
                self._answer(200, "text/plain", fresh.stamp())
            elif self.path == "/":
                self._answer(200, "text/html", fresh.page())
            else:
                self._answer(404, "text/plain", "not here")

        def _answer(self, status: int, kind: str, text: str) -> None:
            content = text.encode()
            # Whoever closes the page before it is there whole is no error.
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the parent's name
            """Say nothing."""

    try:
        server = http.server.ThreadingHTTPServer((_LOOPBACK, port), Handler)
    except OSError as error:
        raise InputError(f"cannot serve on port {port}: {error.strerror}; name another --port, or 0 for any") from error
    with server:
        yield server


def _built(build: Callable[[], str], stamp: str) -> str:
    """Return the page with what keeps it fresh, or in words why there is none yet."""
    refresh = _REFRESH.replace("STAMP", json.dumps(stamp))
    try:
        page = build()
    except InputError as error:
        page = document("Not yet", [str(error)], "")
    head, body, rest = page.rpartition("</body>")
    return f"{head}{refresh}{body}{rest}"
