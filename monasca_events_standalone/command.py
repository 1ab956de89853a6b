# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""``monasca-events-standalone``: all services on embedded drivers."""

import argparse
from collections.abc import Sequence
import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

from monasca_events_standalone import demo
from monasca_events_standalone.layout import Layout
from monasca_events_standalone.supervisor import Supervisor

DESCRIPTION = """Start the API, the persister, the engine and the agent on this
machine, on SQLite files, with no other server. Stops with Ctrl-C."""

EPILOG = """Examples:
  monasca-events-standalone --demo
  monasca-events-standalone --state-dir /var/lib/monasca-events --port 5656

Then, in another terminal, with a token of STATE_DIR/tokens.json:
  curl -H "X-Auth-Token: TOKEN" http://127.0.0.1:5656/v1.0/events
STATE_DIR/clouds.yaml is for openstacksdk and what is made with it:
  export OS_CLIENT_CONFIG_FILE=STATE_DIR/clouds.yaml
"""

#: Seconds that the API may take to answer after its start.
PATIENCE = 60


class Failed(Exception):
    """The start failed; the message is for the operator."""


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "monasca-events-standalone", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    parser.add_argument("--state-dir", type=pathlib.Path,
                        default=pathlib.Path(state) / "monasca-events",
                        help="where everything is kept (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=5656,
                        help="port of the API on 127.0.0.1 "
                             "(default: %(default)s)")
    parser.add_argument("--demo", action="store_true",
                        help="feed it generated notifications and show "
                             "events arriving and a search answering")
    parser.add_argument("--demo-seconds", type=float, default=0,
                        help="end by itself after so many seconds of "
                             "demonstration (default: go on)")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1–65535)")
    return int(text)


def _program(name: str) -> str:
    """Return the console script beside this interpreter."""
    path = pathlib.Path(sys.executable).parent / name
    if not path.exists():
        raise Failed(f"{path} is missing; install monasca-events[standalone]")
    return str(path)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failed(f"port {port} on 127.0.0.1 cannot be used: "
                         f"{error.strerror}; choose another with --port"
                         ) from None


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(  # noqa: S310 - our own loopback URL
                f"{url}/healthcheck", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _await_api(supervisor: Supervisor, layout: Layout,
               stop: threading.Event) -> None:
    deadline = time.monotonic() + PATIENCE
    while not stop.is_set():
        if _ready(layout.url) and layout.tokens.exists():
            return
        status = supervisor.failed("api")
        if status is not None or time.monotonic() > deadline:
            raise Failed("the API does not answer: " + _last_line(
                layout.logs / "api.log"))
        stop.wait(0.1)


def _last_line(path: pathlib.Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return lines[-1] if lines else f"see {path}"


def _prepare(layout: Layout) -> None:
    """Make the state directory this process's own."""
    try:
        layout.prepare()
        layout.lock()
        layout.configure()
    except BlockingIOError:
        raise Failed(f"{layout.root} is in use by another "
                     "monasca-events-standalone; choose another with "
                     "--state-dir") from None
    except (OSError, ValueError) as error:
        raise Failed(f"--state-dir cannot be used: {error}") from None


def _cast(layout: Layout) -> demo.Cast:
    try:
        return demo.Cast.from_tokens(json.loads(layout.tokens.read_text()))
    except (LookupError, TypeError, ValueError) as error:
        raise Failed(f"{layout.tokens} lacks what the services need: "
                     f"{error!r}; without the file new tokens are made"
                     ) from None


def _start(layout: Layout, supervisor: Supervisor,
           stop: threading.Event) -> demo.Cast | None:
    """Start the services in order; return who may use them.

    None when it was told to stop before they were up.
    """
    files = ["--config-file", str(layout.config), "--config-file",
             str(layout.local_config)]
    supervisor.start("api", [_program("monasca-events-api"), *files])
    _await_api(supervisor, layout, stop)
    if stop.is_set():
        return None
    cast = _cast(layout)
    # Only now is there a token for the agent: the API makes them.
    layout.configure(cast.service_token, cast.operator_project)
    for name in ("persister", "engine"):
        supervisor.start(name, [_program(f"monasca-events-{name}"), *files])
    supervisor.start("agent", [_program("monasca-events-agent"), *files])
    return cast


def _announce(layout: Layout) -> None:
    print(f"""monasca-events runs.
  API            {layout.url}
  tokens         {layout.tokens}
  clouds.yaml    {layout.clouds}
  notifications  {layout.notifications} (append one JSON object a line)
  metrics        {", ".join(f"{layout.url[:-len(str(layout.port))]}{port}"
                             for name in layout.metrics_ports
                             for port in layout.metrics_of(name))}
  logs           {layout.logs}
Ctrl-C ends it.""", flush=True)


def _show(layout: Layout, supervisor: Supervisor, cast: demo.Cast,
          stop: threading.Event, seconds: float) -> None:
    """Feed it and show what arrives, beside the watching."""
    supervisor.start("generate", [_program("monasca-events-generate"),
                                  *demo.generator_arguments(layout, cast)])
    threading.Thread(target=demo.show, daemon=True,
                     args=(layout.url, cast, stop, seconds)).start()


def run(argv: Sequence[str]) -> int:
    """Start, watch, stop; return the exit status."""
    arguments = _arguments(argv)
    layout = Layout(arguments.state_dir.expanduser().resolve(),
                    arguments.port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    _check_port(arguments.port)
    _prepare(layout)
    supervisor = Supervisor(layout.logs)
    try:
        cast = _start(layout, supervisor, stop)
        if cast is not None:
            _announce(layout)
            if arguments.demo:
                _show(layout, supervisor, cast, stop, arguments.demo_seconds)
        while not stop.wait(0.5):
            supervisor.watch(time.monotonic())
    finally:
        status = supervisor.stop()
        layout.unlock()
    return status


def main() -> int:
    """Console script."""
    try:
        return run(sys.argv[1:])
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
