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

"""monasca-notification: takes alarm transitions off Kafka and tells people.

Whom it tells is in MariaDB: a test that wants to be told writes rows into
`notification_method` and `alarm_action` of the database that `describe`
names.
"""

import pathlib
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from servers import Instance, Launch, NotReady, Server
from servers import ini
from servers import kafka
from servers import mariadb
from servers import sources

VERSION = "9.0.0"
# It imports jinja2 without saying so.
_REQUIREMENTS = (f"monasca-notification=={VERSION}", "PyMySQL==1.2.4",
                 "jinja2==3.1.6", "setuptools==80.9.0")
_GROUP = "monasca-notification"
_TOPICS = {"alarms": "alarm-state-transitions",
           "sent": "alarm-notifications",
           "retry": "retry-notifications",
           "periodic": "60-seconds-notifications"}
# One that notifies, one that tries again, one for the periodic ones.
_MEMBERS = 3
# The columns that it reads, and those that tell a person what a row is.
_TABLES = """
CREATE TABLE notification_method_type (
  name VARCHAR(20) PRIMARY KEY);
CREATE TABLE notification_method (
  id VARCHAR(36) PRIMARY KEY, tenant_id VARCHAR(36), name VARCHAR(250),
  type VARCHAR(20) NOT NULL, address VARCHAR(512) NOT NULL,
  period INT NOT NULL DEFAULT 0);
CREATE TABLE alarm_action (
  alarm_definition_id VARCHAR(36),
  alarm_state ENUM('UNDETERMINED', 'OK', 'ALARM'),
  action_id VARCHAR(36),
  PRIMARY KEY (alarm_definition_id, alarm_state, action_id));
CREATE TABLE alarm (
  id VARCHAR(36) PRIMARY KEY, alarm_definition_id VARCHAR(36),
  state ENUM('UNDETERMINED', 'OK', 'ALARM'));
"""


class MonascaNotification(Server):
    """Settings are SECTION.KEY of its configuration file."""

    name = "monasca-notification"
    port_names = ()
    needs = ("kafka", "mariadb")

    def fetch(self, cache: pathlib.Path) -> None:
        sources.virtualenv(_environment(cache), _REQUIREMENTS)

    def defaults(self, peers: Mapping[str, Mapping[str, Any]]
                 ) -> dict[str, str]:
        database = urllib.parse.urlsplit(mariadb.beside(peers, "monasca"))
        return {"kafka.url": peers["kafka"]["bootstrap_servers"],
                "mysql.host": str(database.hostname),
                "mysql.port": str(database.port),
                "mysql.user": str(database.username),
                "mysql.passwd": str(database.password),
                "mysql.db": database.path.lstrip("/")}

    def prepare(self, instance: Instance) -> None:
        config = _config(instance)
        config.touch(mode=0o600)
        config.write_text(render(instance))
        url = _database(instance)
        with mariadb.filling(instance, url) as todo:
            if todo:
                mariadb.execute(url, _TABLES)
        port = _kafka_port(instance)
        kafka.create_topics(port, list(_TOPICS.values()))
        kafka.evict(port, _GROUP)

    def launches(self, instance: Instance) -> Sequence[Launch]:
        program = _environment(instance.cache) / "bin/monasca-notification"
        return [Launch(self.name, [
            str(program), "--config-file", str(_config(instance))])]

    def probe(self, instance: Instance) -> None:
        state, members = kafka.group(_kafka_port(instance), _GROUP)
        if state != "Stable" or len(members) < _MEMBERS:
            raise NotReady(f"{len(members)} of {_MEMBERS} consumers are in "
                           f"their group, which is {state}")

    def describe(self, instance: Instance) -> dict[str, Any]:
        return {"url": f'kafka://{instance.settings.get("kafka.url")}/'
                       f'{_TOPICS["alarms"]}',
                "version": VERSION, "database": _database(instance),
                "topics": dict(_TOPICS), "group": _GROUP}


def render(instance: Instance) -> str:
    """Return its configuration file."""
    return ini.render("monasca-notification", {
        "database.repo_driver": "mysql",
        "kafka.group": _GROUP,
        "kafka.alarm_topic": _TOPICS["alarms"],
        "kafka.notification_topic": _TOPICS["sent"],
        "kafka.notification_retry_topic": _TOPICS["retry"],
        "kafka.periodic": f'60:{_TOPICS["periodic"]}',
        "kafka.legacy_kafka_client_enabled": "false",
        "notification_types.enabled": "webhook,email",
        "notification_processor.number": "1",
        "statsd.enable": "false",
        **instance.settings}, {})


def _database(instance: Instance) -> str:
    parts = [instance.settings.get(f"mysql.{key}")
             for key in ("user", "passwd", "host", "port", "db")]
    return "mysql+pymysql://{}:{}@{}:{}/{}".format(*parts)


def _kafka_port(instance: Instance) -> int:
    return int(instance.settings["kafka.url"].rpartition(":")[2])


def _config(instance: Instance) -> pathlib.Path:
    return instance.directory / "notification.conf"


def _environment(cache: pathlib.Path) -> pathlib.Path:
    return cache / f"monasca-notification-{VERSION}"
