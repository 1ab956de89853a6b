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

"""What the servers tool writes into configuration files and requests."""

import configparser
import pathlib
import struct
import sys

# Makes the tool importable, too.
from tests.unit.tools.test_servers import InDirectory

from servers import Failed, aodh, elasticsearch, gnocchi, horizon
from servers import kafka, keystone, mariadb, monasca_notification
from servers import postgresql, rabbitmq, wsgi


class ConfigurationTest(InDirectory):

    def test_kafka_listens_on_loopback_and_keeps_data_in_the_state(self):
        text = kafka.render(self.instance(
            "kafka", {"num.partitions": "2", "heap": "1g"},
            client=20001, controller=20002))
        lines = text.splitlines()
        self.assertIn("listeners=PLAINTEXT://127.0.0.1:20001,"
                      "CONTROLLER://127.0.0.1:20002", lines)
        self.assertIn(f"log.dirs={self.directory}/kafka/data", lines)
        self.assertIn("num.partitions=2", lines)
        self.assertNotIn("num.partitions=6", lines)
        self.assertNotIn("heap", text)

    def test_kafka_metadata_name_the_broker(self):
        head = struct.pack(">ii", 1, 0)
        broker = (struct.pack(">iih", 1, 1, 9) + b"127.0.0.1"
                  + struct.pack(">ih", 20001, -1))
        self.assertEqual(20001, kafka.first_broker_port(head + broker))
        self.assertIsNone(kafka.first_broker_port(head + struct.pack(">i", 0)))

    def test_kafka_tells_which_topics_were_refused(self):
        def topic(name, error):
            return kafka.text(name) + struct.pack(">hh", error, -1)
        head = struct.pack(">iii", 1, 0, 2)
        self.assertEqual({"one": 0, "two": 36}, kafka.created(
            head + topic("one", 0) + topic("two", 36)))

    def test_kafka_tells_the_members_of_a_group(self):
        head = struct.pack(">iih", 1, 1, 0) + b"".join(
            map(kafka.text, ("mine", "Stable", "consumer", "range")))

        def member(name):
            return (b"".join(map(kafka.text, (name, "client", "/127.0.0.1")))
                    + struct.pack(">i", 2) + b"ab" + struct.pack(">i", 0))
        self.assertEqual(
            ("Stable", ["a-1", "a-2"]),
            kafka.described(head + struct.pack(">i", 2) + member("a-1")
                            + member("a-2")))
        self.assertEqual(("Stable", []),
                         kafka.described(head + struct.pack(">i", 0)))

    def test_elasticsearch_takes_dotted_settings(self):
        lines = elasticsearch.render(self.instance(
            "elasticsearch", {"indexing_pressure.memory.limit": "64kb"},
            client=20001, transport=20002)).splitlines()
        self.assertIn("indexing_pressure.memory.limit: 64kb", lines)
        self.assertIn("network.host: 127.0.0.1", lines)
        self.assertIn("http.port: 20001", lines)
        self.assertIn("transport.port: 20002", lines)

    def test_elasticsearch_heap_can_be_set(self):
        text = elasticsearch.render_jvm(
            self.instance("elasticsearch", {"heap": "512m"}))
        self.assertIn("-Xms512m\n-Xmx512m\n", text)

    def test_rabbitmq_keeps_the_distribution_on_loopback(self):
        instance = self.instance("rabbitmq", client=20001, epmd=20002,
                                 distribution=20003)
        self.assertIn("listeners.tcp.1 = 127.0.0.1:20001\n",
                      rabbitmq.render(instance))
        environment = rabbitmq.environment(instance)
        self.assertEqual("20002", environment["ERL_EPMD_PORT"])
        self.assertIn("{127,0,0,1}",
                      environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"])

    def test_mariadb_gets_a_short_socket_path_from_a_long_directory(self):
        near = mariadb.socket_path(pathlib.Path("/srv/state"))
        self.assertEqual("/srv/state/mariadb.sock", str(near))
        far = mariadb.socket_path(pathlib.Path("/srv") / ("long/" * 30))
        self.assertLess(len(str(far)), 100)
        self.assertNotEqual(far, mariadb.socket_path(
            pathlib.Path("/srv") / ("long/" * 31)))

    def test_mariadb_lets_the_user_in_from_loopback(self):
        text = mariadb.render_users(self.instance("mariadb", client=20001))
        self.assertIn("'monasca_events'@'127.0.0.1' IDENTIFIED BY 'hush'",
                      text)

    def keystone(self, **settings):
        config = configparser.RawConfigParser()
        config.read_string(keystone.render(self.directory, settings))
        return config

    def test_keystone_is_silent_without_a_transport(self):
        config = self.keystone()
        self.assertEqual("noop", config["oslo_messaging_notifications"]
                         ["driver"])

    def test_keystone_keeps_all_its_keys_in_the_state(self):
        config = self.keystone()
        for section in ("fernet_tokens", "fernet_receipts", "credential"):
            self.assertTrue(config[section]["key_repository"].startswith(
                str(self.directory)))

    def test_keystone_notifies_over_durable_queues(self):
        config = self.keystone(
            transport_url="rabbit://a:b@127.0.0.1:20001/",
            notification_topics="event_notifications",
            notification_format="basic")
        section = config["oslo_messaging_notifications"]
        self.assertEqual("messagingv2", section["driver"])
        self.assertEqual("event_notifications", section["topics"])
        self.assertEqual("rabbit://a:b@127.0.0.1:20001/",
                         section["transport_url"])
        self.assertEqual("basic", config["DEFAULT"]["notification_format"])
        self.assertEqual("true", config["oslo_messaging_rabbit"]
                         ["amqp_durable_queues"])

    def test_keystone_takes_any_section_and_key(self):
        config = self.keystone(**{"token.expiration": "60"})
        self.assertEqual("60", config["token"]["expiration"])
        with self.assertRaisesRegex(Failed, "SECTION.KEY"):
            self.keystone(nonsense="1")

    def test_keystone_follows_the_rabbitmq_beside_it(self):
        peers = {"rabbitmq": {"transport_url": "rabbit://x"}}
        defaults = keystone.Keystone().defaults(peers)
        self.assertEqual("rabbit://x", defaults["transport_url"])
        self.assertEqual({}, keystone.Keystone().defaults({}))

    def test_postgresql_listens_on_loopback_and_on_no_socket(self):
        lines = postgresql.render(self.instance(
            "postgresql", {"max_connections": "9"},
            client=20001)).splitlines()
        self.assertIn("listen_addresses = '127.0.0.1'", lines)
        self.assertIn("unix_socket_directories = ''", lines)
        self.assertIn("port = 20001", lines)
        self.assertIn("max_connections = 9", lines)

    def peers(self):
        there = self.instance("keystone", client=20001)
        return {"keystone": keystone.Keystone().describe(there),
                "mariadb": mariadb.Mariadb().describe(
                    self.instance("mariadb", client=20002)),
                "kafka": kafka.Kafka().describe(
                    self.instance("kafka", client=20003))}

    def test_a_database_of_its_own_is_on_the_mariadb_beside(self):
        self.assertEqual(
            "mysql+pymysql://monasca_events:hush@127.0.0.1:20002/aodh",
            mariadb.beside(self.peers(), "aodh"))

    def test_aodh_trusts_the_keystone_beside_it(self):
        settings = aodh.Aodh().defaults(self.peers())
        for section in ("keystone_authtoken", "service_credentials"):
            self.assertEqual("http://127.0.0.1:20001/v3",
                             settings[f"{section}.auth_url"])
            self.assertEqual("public", settings[f"{section}.interface"])
        self.assertTrue(settings["database.connection"].endswith("/aodh"))

    def gnocchi(self, **settings):
        config = configparser.RawConfigParser()
        config.read_string(gnocchi.render(self.instance("gnocchi", {
            **gnocchi.Gnocchi().defaults(self.peers()), **settings})))
        return config

    def test_gnocchi_asks_for_no_token_unless_told_to(self):
        self.assertEqual("basic", self.gnocchi()["api"]["auth_mode"])
        told = self.gnocchi(auth_mode="keystone")
        self.assertEqual("keystone", told["api"]["auth_mode"])
        self.assertEqual("http://127.0.0.1:20001/v3",
                         told["keystone_authtoken"]["auth_url"])

    def test_gnocchi_says_that_it_needs_keystone_to_trust_it(self):
        with self.assertRaisesRegex(Failed, "servers up keystone"):
            gnocchi.render(self.instance("gnocchi",
                                         {"auth_mode": "keystone"}))

    def test_monasca_notification_follows_kafka_and_mariadb(self):
        server = monasca_notification.MonascaNotification()
        instance = self.instance(server.name, server.defaults(self.peers()))
        config = configparser.RawConfigParser()
        config.read_string(monasca_notification.render(instance))
        self.assertEqual("127.0.0.1:20003", config["kafka"]["url"])
        self.assertEqual("20002", config["mysql"]["port"])
        told = server.describe(instance)
        self.assertEqual(
            "mysql+pymysql://monasca_events:hush@127.0.0.1:20002/monasca",
            told["database"])
        self.assertEqual(config["kafka"]["alarm_topic"],
                         told["topics"]["alarms"])

    def horizon(self, **settings):
        values = {}
        exec(horizon.render(self.instance("horizon", {  # noqa: S102
            **horizon.Horizon().defaults(self.peers()), **settings})), values)
        return values

    def test_horizon_takes_settings_of_django(self):
        values = self.horizon(OPENSTACK_API_VERSIONS="{'identity': 3}",
                              SITE_BRANDING="A cloud", plugins="/a,/b")
        self.assertEqual({"identity": 3}, values["OPENSTACK_API_VERSIONS"])
        self.assertEqual("A cloud", values["SITE_BRANDING"])
        self.assertEqual("http://127.0.0.1:20001/v3",
                         values["OPENSTACK_KEYSTONE_URL"])
        self.assertNotIn("plugins", values)

    def test_horizon_refuses_what_is_no_setting(self):
        with self.assertRaisesRegex(Failed, "plugin.*capitals"):
            self.horizon(plugin="/a")

    def test_an_application_finds_its_own_arguments(self):
        instance = self.instance("server", client=20001)
        instance.directory.mkdir()
        wsgi.write(instance, "import sys\napplication = sys.argv",
                   ["server", "--config-file", "it's"])
        launch = wsgi.launch(instance, pathlib.Path("/venv"))
        module = launch.argv[-1].removesuffix(":application")
        values = {}
        text = (instance.directory / f"{module}.py").read_text()
        kept = sys.argv
        self.addCleanup(setattr, sys, "argv", kept)
        exec(text, values)  # noqa: S102
        self.assertEqual(["server", "--config-file", "it's"],
                         values["application"])
        self.assertIn("127.0.0.1:20001", launch.argv)
