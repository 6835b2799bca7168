"""A private AWS on loopback: moto's server, for the tests of the store that needs one.

Moto's own `moto_server` works on several requests at a time, and in the middle of one lets others in, which
AWS does not. Here each request is one step.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    import copy
    import logging
    import threading

    from moto.dynamodb.models.table import Table
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, run_simple

    def copied(table: Any, _: Any) -> Any:
        """Moto copies the whole table for each write of a transaction; the items themselves are replaced."""
        made = copy.copy(table)
        made.items = table.items.copy()
        made.items.update((key, items.copy()) for key, items in table.items.items())
        return made

    Table.__deepcopy__ = copied
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    one_at_a_time = threading.Lock()

    def step(environ: Any, start_response: Any) -> Any:
        with one_at_a_time:
            return list(application(environ, start_response))

    run_simple("127.0.0.1", port, step, threaded=True, request_handler=WSGIRequestHandler)


if __name__ == "__main__":
    server_main(int(sys.argv[1]))
