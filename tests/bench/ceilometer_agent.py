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


"""Ceilometer's notification agent: RabbitMQ → events → a file.

The peer of the agent's benchmark, installed from PyPI into a virtual
environment of its own. It runs as its own documentation has it, but for what
would slow it down: only its event pipeline, a large batch, the same prefetch.
"""

import pathlib
import signal
import subprocess
import tempfile
import time

from tests.bench import ceilometer_converter
from tests.bench.sample import Missing

_CONFIG = """
[DEFAULT]
transport_url = {url}
event_pipeline_cfg_file = {pipeline}
[notification]
messaging_urls = {url}
pipelines = event
batch_size = 100
batch_timeout = 1
notification_control_exchanges = {exchange}
[oslo_messaging_notifications]
topics = {topic}
[oslo_messaging_rabbit]
amqp_durable_queues = true
rabbit_qos_prefetch_count = {prefetch}
[event]
definitions_cfg_file = {definitions}
"""

_PIPELINE = """
sources:
  - name: all
    events: ["*"]
    sinks: [file]
sinks:
  - name: file
    publishers: ["file://{out}?json"]
"""


def rate(url: str, topic: str, exchange: str, count: int, prefetch: int,
         patience: float) -> float:
    """Return events a second, from the first one written to the last.

    :param count: notifications that wait in the queue
    :raises Missing: Ceilometer cannot be installed here
    """
    try:
        python = pathlib.Path(ceilometer_converter.python())
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"ceilometer cannot be installed: {error}") from None
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home)
        out = folder / "events"
        (folder / "ceilometer.conf").write_text(_CONFIG.format(
            url=url, exchange=exchange, topic=topic, prefetch=prefetch,
            pipeline=folder / "events.yaml",
            definitions=next(python.parents[1].glob(
                "lib/*/site-packages/ceilometer/pipeline/data/"
                "event_definitions.yaml"))))
        (folder / "events.yaml").write_text(_PIPELINE.format(out=out))
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [python.parent / "ceilometer-agent-notification",
                 "--config-file", folder / "ceilometer.conf"],
                stdout=log, stderr=log)
        try:
            return _follow(out, count, patience)
        except TimeoutError as error:
            raise RuntimeError(
                f"ceilometer: {error}; "
                f"{(folder / 'log').read_text()[-2000:]}") from None
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _follow(out: pathlib.Path, count: int, patience: float) -> float:
    """Return the rate at which lines are written.

    The last lines may never come: it does not convert everything. The run is
    over when nothing has come for some seconds.
    """
    deadline = time.monotonic() + patience
    lines, first, last = 0, None, 0.0
    while not out.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    if not out.exists():
        raise TimeoutError("nothing was written")
    with out.open("rb") as file:
        while time.monotonic() < deadline:
            new = file.read().count(b"\n")
            now = time.monotonic()
            if new:
                lines, last = lines + new, now
                first = first or (now, lines)
            if lines >= count or first and now - last > 5:
                break
            time.sleep(0.05)
    if first is None or lines < count * 0.9:
        raise TimeoutError(f"{lines} of {count} after {patience:.0f} s")
    return (lines - first[1]) / (last - first[0])
