"""A private AWS on loopback: moto's server, for the tests of the store that needs one.

Moto's own `moto_server` works on several requests at a time, and in the middle of one lets others in, which
AWS does not. Here each request is one step.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import http.server
import importlib.util
import io
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from tests.servers import NoServer, free_port, process

_START_LIMIT = 60.0
_SETTINGS: Mapping[str, str] = {
    # Nothing is asked of this machine's settings, and nothing leaves it.
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        port: Its port on 127.0.0.1.
        url: Its address, for boto3.
    """

    port: int
    url: str

    def forget(self) -> None:
        """Delete every secret."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310 (http)
        with _direct().open(request, timeout=30) as answer:
            assert answer.status == 200


def missing() -> str:
    """Why there is no server to start; "" where there is one."""
    absent = [name for name in ("boto3", "moto", "flask") if importlib.util.find_spec(name) is None]
    return f"no {' and no '.join(absent)} found: install moto[server] and boto3" if absent else ""


def environment() -> dict[str, str]:
    """The environment variables of whoever talks to the server."""
    return dict(_SETTINGS)


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Start a server, and take it away with everything that it holds.

    Yields:
        The server, once it answers.

    Raises:
        NoServer: It cannot be started.
    """
    if reason := missing():
        raise NoServer(reason)
    port = free_port()
    command = [sys.executable, "-m", __name__, str(port)]
    environment = {**os.environ, **_SETTINGS, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (
        tempfile.TemporaryDirectory(prefix="tokenstore-moto-") as base,
        process(command, Path(base, "log"), environment=environment) as started,
    ):
        _wait_until_it_answers(started, port, Path(base, "log"))
        yield Server(port, f"http://127.0.0.1:{port}")


def _direct() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.05)
    raise NoServer(f"moto's server does not start: {log.read_text(errors='replace')[-2000:]}")


def server_main(port: int) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    _quicken()
    application = DomainDispatcherApplication(create_backend_app)
    # Moto lists its own directory for each request.
    application.get_backend_for_host = functools.cache(application.get_backend_for_host)
    one_at_a_time = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers as AWS does, over connections that stay open."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body leave together

        def do_POST(self) -> None:
            environ = _environ(self.path, self.headers, self.rfile)
            with one_at_a_time:
                answer = application(environ, self.start)
                body = b"".join(answer)
            if not any(name.lower() == "content-length" for name, _ in self.answered):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def start(self, status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            self.answered = headers
            code, _, reason = status.partition(" ")
            self.send_response_only(int(code), reason)
            for header in headers:
                self.send_header(*header)

        def log_message(self, *_: object) -> None:
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def _environ(path: str, headers: Message, body: io.BufferedIOBase) -> dict[str, Any]:
    """What WSGI tells an application of a request."""
    length = int(headers["Content-Length"] or 0)
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": headers["Content-Type"] or "",
        "CONTENT_LENGTH": str(length),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body.read(length)),
        "wsgi.errors": sys.stderr,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }


def _quicken() -> None:
    """Take from moto what it does again and again for nothing."""
    from moto.dynamodb.models.table import Table
    from moto.secretsmanager.models import SecretsStore

    def copied(table: Any, _: Any) -> Any:
        """Moto copies the whole table for each write of a transaction; the items themselves are replaced."""
        made = copy.copy(table)
        made.items = table.items.copy()
        made.items.update((key, items.copy()) for key, items in table.items.items())
        return made

    Table.__deepcopy__ = copied
    # Moto goes through all secrets to find one, and a run of the kit leaves thousands.
    for name in ("__contains__", "__getitem__", "get"):
        setattr(SecretsStore, name, getattr(dict, name))
    SecretsStore.pop = lambda secrets, name: dict.pop(secrets, name, None)


if __name__ == "__main__":
    server_main(int(sys.argv[1]))
