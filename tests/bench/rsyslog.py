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


"""rsyslog as a peer of the persister: imkafka → omelasticsearch.

Installed from Debian where the benchmark runs as root, without starting the
system's logger; what runs here is a process of our own with its own
configuration.
"""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse

from tests.bench.sample import Missing

_PACKAGES = ("rsyslog-kafka", "rsyslog-elasticsearch")
_MODULES = ("imkafka", "omelasticsearch")
_TOOLS = pathlib.Path(__file__).parents[2] / "tools"

# Batches as large as ours, several workers: its best on two cores. A template
# of text passes the message through as it is.
_CONFIG = """
module(load="imkafka")
module(load="omelasticsearch")
global(workDirectory="{folder}")
main_queue(queue.type="FixedArray" queue.size="100000"
           queue.dequeueBatchSize="2000" queue.workerThreads="2")
template(name="raw" type="string" string="%msg%")
{templates}
input(type="imkafka" topic="{topic}" broker=["{uri}"]
      consumergroup="{topic}" confParam=["auto.offset.reset=earliest"]
      ruleset="out")
ruleset(name="out" queue.type="FixedArray" queue.size="100000"
        queue.dequeueBatchSize="2000" queue.workerThreads="2") {{
  action(type="omelasticsearch" server="{host}" serverport="{port}"
         searchType="" template="raw" bulkmode="on" maxbytes="10m"
         {job})
}}
"""

# The persister's job: each project and month has an index, each event is
# created by its id. All three are cut out at the quotation marks of the
# canonical bytes, which is much cheaper for it than parsing the JSON.
_BY_TENANT = """
template(name="index" type="list") {{
  constant(value="{index}-")
  property(name="msg" field.delimiter="34" field.number="8")
  constant(value="-")
  property(name="msg" field.delimiter="34" field.number="16"
           position.from="1" position.to="7")
}}
template(name="id" type="list") {{
  property(name="msg" field.delimiter="34" field.number="4")
}}
"""


def install() -> None:
    """Have rsyslog with its modules; raise Missing where it cannot be."""
    if _program() and _has_modules():
        return
    if os.geteuid() != 0:
        raise Missing("as root, run apt-get install "
                      + " ".join(_PACKAGES))
    sys.path.insert(0, str(_TOOLS))
    import servers
    from servers import sources
    try:
        sources.debian("rsyslog", "/usr/sbin/rsyslogd")
        for package, module in zip(_PACKAGES, _MODULES, strict=True):
            # A module is not a program: what its package brings is looked
            # for below, and what must not start was installed above.
            with contextlib.suppress(servers.Missing):
                sources.debian(package, f"/usr/lib/rsyslog/{module}")
    except servers.Missing as error:
        raise Missing(str(error)) from None
    finally:
        sys.path.remove(str(_TOOLS))
    if not _has_modules():
        raise Missing("apt-get installed no " + " or ".join(_PACKAGES))


@contextlib.contextmanager
def running(uri: str, topic: str, url: str, index: str,
            by_tenant: bool) -> Iterator[None]:
    """Let it copy a topic of Kafka into Elasticsearch, for a while.

    :param index: of all events; or ``by_tenant`` what the indices' names
        begin with, which end in the project and the month
    """
    address = urllib.parse.urlsplit(url)
    job = ('dynSearchIndex="on" searchIndex="index" dynbulkid="on"'
           ' bulkid="id" writeoperation="create"') if by_tenant \
        else f'searchIndex="{index}"'
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "rsyslog.conf"
        config.write_text(_CONFIG.format(
            folder=folder, topic=topic, uri=uri, job=job,
            templates=_BY_TENANT.format(index=index) if by_tenant else "",
            host=address.hostname, port=address.port))
        with open(f"{folder}/log", "wb") as log:
            process = subprocess.Popen(
                [_program(), "-n", "-f", str(config), "-i", f"{folder}/pid"],
                stdout=log, stderr=log)
        try:
            yield
        except TimeoutError as error:
            raise TimeoutError(f"{error}; " + pathlib.Path(
                folder, "log").read_text()[-500:]) from None
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _program() -> str | None:
    return shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")


def _has_modules() -> bool:
    return all(any(pathlib.Path("/usr/lib").glob(f"*/rsyslog/{module}.so"))
               for module in _MODULES)
