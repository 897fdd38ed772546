"""A page on this machine's own address that shows itself anew as what it is of changes."""

import contextlib
import http.server
from collections.abc import Callable, Iterator

from sr.errors import InputError

_LOOPBACK = "127.0.0.1"
# Asks now and then whether anything changed; an open panel or a page out of sight is left alone.
_REFRESH = """<script>
(() => {
  const every = 2000, shown = STAMP;
  const look = async () => {
    if (!document.hidden && !document.querySelector("dialog[open]")) {
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


@contextlib.contextmanager
def live_page(
    build: Callable[[], str], stamp: Callable[[], str], port: int
) -> Iterator[http.server.ThreadingHTTPServer]:
    """Yield a server of a page on loopback alone; the caller serves until it has enough.

    Args:
        build: Makes the page.
        stamp: What changes whenever the page would.
        port: 0 for any that is free.

    Raises:
        InputError: Where the port is taken.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers with the page or its stamp; writes no log."""

        def do_GET(self) -> None:
            """Answer one request."""
            if self.path == "/stamp":
                self._answer(200, "text/plain", stamp())
            elif self.path == "/":
                self._answer(*_built(build, stamp()))
            else:
                self._answer(404, "text/plain", "not here")

        def _answer(self, status: int, kind: str, text: str) -> None:
            content = text.encode()
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


def _built(build: Callable[[], str], stamp: str) -> tuple[int, str, str]:
    """Return the page with what keeps it fresh, or in words why there is none yet."""
    refresh = _REFRESH.replace("STAMP", repr(stamp))
    try:
        page = build()
    except InputError as error:
        return 200, "text/html", f"<!doctype html><title>not yet</title><p>{_escaped(str(error))}</p>{refresh}"
    head, body, rest = page.rpartition("</body>")
    return 200, "text/html", f"{head}{refresh}{body}{rest}"


def _escaped(text: str) -> str:
    """Return text as HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
