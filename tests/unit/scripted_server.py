"""A real HTTP server on the loopback interface that answers by a script, so that its misbehaviour can be chosen.

The tests of transfers and of landing share it; what a correct answer leads to belongs to them.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """A scripted server: each request takes the next answer, the last one for ever."""

    url: str = ""
    script: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.times.append(time.monotonic())
        self.seen.append({"path": handler.path} | {name.lower(): value for name, value in handler.headers.items()})
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        step(handler)


class _Http(ThreadingHTTPServer):
    """A client that leaves in the middle is what several tests are about; anything else is reported."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def scripted_server() -> Iterator[Server]:
    """Serve on a free port until the block ends."""
    scripted = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            scripted.answer(self)

        def log_message(self, *arguments):
            pass

    http = _Http(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    scripted.url = f"http://127.0.0.1:{http.server_address[1]}"
    try:
        yield scripted
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def send(status=200, body=b"", *, length=None, cut=False, pause=0.0, **headers) -> Callable:
    """Answer with ``body``; ``cut`` closes the connection before the announced ``length`` is reached."""

    def step(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        if cut:
            handler.wfile.flush()
            handler.close_connection = True
        time.sleep(pause)

    return step
