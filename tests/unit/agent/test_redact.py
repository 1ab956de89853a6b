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


"""The redactor: canaries in, none out; and what must stay stays."""

import copy
import json
import pathlib
import unittest

from monasca_events_agent import redact
from monasca_events_agent.secret_keys import KeyRules
from monasca_events_agent.secret_text import MASK

SAMPLES = pathlib.Path(__file__).parents[4] / "shared/data/notifications"

PEM = ("-----BEGIN RSA PRIVATE KEY-----\n{0}\nMIIEow\n"
       "-----END RSA PRIVATE KEY-----")
CONTEXT = {"user_id": "u", "project_id": "p", "auth_token": "{0}",
           "roles": ["admin"], "request_id": "req-1"}

#: Places where a secret was or may be found, each with room for a canary.
PLACES = [
    {"_context": {"auth_token": "{0}"}},
    {"a": {"b": [{"_context": dict(CONTEXT)}]}},
    {"args": {"ctxt": dict(CONTEXT)}},
    {"args": {"context": dict(CONTEXT)}},
    {"args": {"whatever": dict(CONTEXT)}},
    {"_context_auth_token": "{0}"},
    {"_context_service_catalog": [{"x": "{0}"}]},
    {"auth_token": "{0}"},
    {"X-Auth-Token": "{0}"},
    {"headers": {"X-Subject-Token": "{0}"}},
    {"service_catalog": [{"endpoints": [{"url": "{0}"}]}]},
    {"token": {"catalog": [{"endpoints": [{"url": "{0}"}]}]}},
    {"password": "{0}"},
    {"adminPass": "{0}"},
    {"admin_pass": "{0}"},
    {"ADMIN-PASSWORD": "{0}"},
    {"server": {"db_passwd": "{0}"}},
    {"root_password": 12345, "also": {"passphrase": "{0}"}},
    {"user_data": "{0}"},
    {"userData": "{0}"},
    {"injected_files": [["/etc/x", "{0}"]]},
    {"personality": [{"path": "/x", "contents": "{0}"}]},
    {"bdm": {"connection_info": {"data": {"auth_password": "{0}"}}}},
    {"api_key": "{0}"},
    {"apiKey": "{0}"},
    {"access_key": "{0}"},
    {"secret_key": "{0}"},
    {"ec2": {"access": "a", "secret": "{0}"}},
    {"credential": {"token": "{0}"}},
    {"credentials": ["{0}"]},
    {"blob": "{0}"},
    {"transport_url": "{0}"},
    {"trust_id": "{0}"},
    {"private_key": "{0}"},
    {"psk": "{0}"},
    {"token_id": "{0}"},
    {"refresh_tokens": ["{0}"]},
    {"default_tls_container_ref": "{0}"},
    {"sni_container_refs": ["{0}"]},
    {"metadata": {"db_password": "{0}"}},
    {"metadata": {"my_key": "{0}"}},
    {"metadata": {"wp-auth": "{0}"}},
    {"metadata": [{"key": "mysql_root_password", "value": "{0}"}]},
    {"properties": {"nested": {"svc_cred": "{0}"}}},
    {"parameters": [{"name": "admin_password", "value": "{0}"}]},
    {"message": "login with password={0} failed"},
    {"message": "ran: openstack --os-password {0} server list"},
    {"message": "header X-Auth-Token: {0}"},
    {"message": "Authorization: Bearer {0}aaaaaaaa"},
    {"message": "{'kwargs': {'auth_token': '{0}', 'code': 404}}"},
    {"message": "cannot connect to mysql+pymysql://nova:{0}@db/nova"},
    {"image_ref": "swift+https://acc:{0}@host/images/1"},
    {"request": '{"auth": {"identity": {"password": "{0}"}}}'},
    {"request": '{"a": "{\\"admin_pass\\": \\"{0}\\"}"}'},
    {"request": '{"user_data": "{0}"} and something that is no JSON'},
    {"body": "<server adminPass='x'><adminPass>{0}</adminPass></server>"},
    {"note": "token gAAAAABk{0}" + "x" * 40},
    {"path": "/v1/AUTH_p/c/o?temp_url_sig={0}&temp_url_expires=1"},
    {"url": "https://s3/i?X-Amz-Signature={0}"},
    {"log": "users:\n- token: {0}\n"},
    {"note": PEM},
    {"public": "eyJhbGciOiJIUzI1NiJ9.eyJz{0}.c2lnbmF0dXJl"},
    {"list": ["AKIAIOSFODNN7EXAMPLE {0}", {"secretKey": "{0}"}],
     "_pass": "{0}"},
]


def lines(name: str) -> list[str]:
    return (SAMPLES / name).read_text().splitlines()


def plant(value, canary: str):
    """Return the value with the canary in every place."""
    if isinstance(value, str):
        return value.replace("{0}", canary)
    if isinstance(value, dict):
        return {key: plant(below, canary) for key, below in value.items()}
    if isinstance(value, list):
        return [plant(below, canary) for below in value]
    return value


class TestCanaries(unittest.TestCase):
    """S14: no secret gets past the redactor."""

    def test_no_canary_survives_in_any_of_its_places(self):
        for number, place in enumerate(PLACES):
            canary = f"CANARY-{number}-"
            if "AKIA" in json.dumps(place):
                place = {**place, "list": place["list"][1:]}
            with self.subTest(place=place):
                done = redact.redact(plant(place, canary))
                self.assertNotIn(canary, json.dumps(done.payload))
                self.assertNotIn(canary.encode(), done.encoded)
                self.assertNotEqual([], done.redacted)

    def test_no_canary_survives_deep_inside(self):
        for number, place in enumerate(PLACES[:-1]):
            canary = f"CANARY-{number}-"
            with self.subTest(place=place):
                done = redact.redact({"a": {"b": [[plant(place, canary)]]}})
                self.assertNotIn(canary.encode(), done.encoded)

    def test_no_canary_survives_in_a_dead_letters_bytes(self):
        for number, place in enumerate(PLACES[:-1]):
            canary = f"CANARY-{number}-"
            inner = json.dumps({"event_type": "x", "_context_tenant": "t",
                                "payload": plant(place, canary)})
            envelope = json.dumps({"oslo.version": "2.0",
                                   "oslo.message": inner})
            for raw in (inner, envelope, inner[:-1], envelope[:-3],
                        "garbage " + inner, inner + "\udcff",
                        inner.replace("{", "{ ,", 1)):
                with self.subTest(raw=raw[:120]):
                    masked = redact.redact_bytes(
                        raw.encode("utf-8", "surrogateescape"))
                    self.assertNotIn(canary.encode(), masked)

    def test_a_secrets_body_in_a_request_is_masked_in_dead_letters(self):
        raw = json.dumps({"event_type": "audit.http.request",
                          "payload": {"payload": "CANARY", "a": 1}})
        for text in (raw, raw[:-1]):
            masked = redact.redact_bytes(text.encode())
            self.assertNotIn(b"CANARY", masked)
            self.assertIn(b'"a"', masked)

    def test_a_cut_secret_does_not_survive_the_cut(self):
        raw = json.dumps({"payload": {"a": 1, "user_data": "CANARY" * 9}})
        for end in range(raw.index("CANARY") + 6, len(raw)):
            self.assertNotIn(b"CANARY",
                             redact.redact_bytes(raw[:end].encode()))


class TestTokensInPayloads(unittest.TestCase):
    """S14b: live tokens inside legacy payloads."""

    def test_a_context_is_removed_wherever_it_hangs(self):
        done = redact.redact({"args": {"instance": {
            "uuid": "i", "info_cache": {"_context": dict(CONTEXT), "n": 1}}}})
        self.assertEqual(
            {"args": {"instance": {"uuid": "i", "info_cache": {"n": 1}}}},
            done.payload)
        self.assertEqual(["payload.args.instance.info_cache._context"],
                         done.redacted)

    def test_the_ids_of_a_context_may_stay(self):
        done = redact.redact({"_context_request_id": "req-1",
                              "_context_roles": ["admin"]})
        self.assertEqual({"_context_request_id": "req-1"}, done.payload)

    @unittest.skipUnless(SAMPLES.exists(), f"{SAMPLES} is not here")
    def test_no_captured_notification_keeps_its_token(self):
        tokens = 0
        for line in lines("wire-captured.jsonl"):
            found = json.loads(line)
            tokens += "fake-token-" in line
            done = redact.redact(found["payload"])
            self.assertNotIn(b"fake-token-", done.encoded)
            self.assertNotIn(b"fake-token-",
                             redact.redact_bytes(line.encode()))
            self.assertNotIn(b"fake-token-",
                             redact.redact_bytes(line[:-40].encode()))
        self.assertGreater(tokens, 0)

    @unittest.skipUnless(SAMPLES.exists(), f"{SAMPLES} is not here")
    def test_captured_notifications_lose_nothing_but_secrets(self):
        allowed = ("_context", "ctxt", "connection_info", "_obj_transport_url",
                   "_obj_database_connection")
        for line in lines("wire-captured.jsonl"):
            done = redact.redact(json.loads(line)["payload"])
            for path in done.redacted:
                self.assertIn(path.rsplit(".", 1)[-1], allowed)


class TestWhatStays(unittest.TestCase):

    def test_harmless_neighbours_of_secrets_stay(self):
        harmless = {
            "key_name": "my-key", "keypair": "k", "keypairs": [{"name": "n"}],
            "public_key": "ssh-rsa AAAAB3NzaC1yc2E Generated-by-Nova",
            "key_data": "ssh-rsa AAAA", "fingerprint": "1e:2c:9b",
            "OS-EXT-STS:power_state": 1, "os-extended-volumes:attached": [],
            "password_expires_at": "2026-01-01", "password_length": 12,
            "token_type": "bearer", "credential_id": "c",
            "application_credential_id": "a", "encryption_key_id": "e",
            "encryption_secret_uuid": "u", "ephemeral_key_uuid": None,
            "secret_type": "opaque", "bypass": "x", "compass": "north",
            "author": "me", "image_ref_url": "http://localhost:9292/images/1",
            "metadata": {"role": "web", "owner": "team", "public_key": "pk"},
            "tags": ["token", "secret", "password"],
            "description": "Resets the password of a secret agent's token",
            "message": "Instance could not be found: no valid host.",
            "trusted_image_certificates": ["c1"], "context": {"a": 1},
            "keys": [1, 2], "passed": "yes", "auto_disk_config": "MANUAL",
            "dashboard": "https://example.org/a?b=c", "ssh": "ssh://git@h/x",
        }
        done = redact.redact(copy.deepcopy(harmless))
        self.assertEqual([], done.redacted)
        self.assertEqual(harmless, done.payload)

    def test_an_empty_secret_is_no_secret(self):
        empty = {"user_data": None, "admin_pass": "", "credentials": [],
                 "password": False}
        done = redact.redact(dict(empty))
        self.assertEqual(empty, done.payload)
        self.assertEqual([], done.redacted)

    def test_what_another_masked_already_is_not_ours(self):
        self.assertEqual([], redact.redact({"password": MASK}).redacted)

    def test_only_the_secret_leaves_a_sentence(self):
        done = redact.redact(
            {"m": "mysql://nova:hunter2@db.example.org/nova is down"})
        self.assertEqual("mysql://***@db.example.org/nova is down",
                         done.payload["m"])

    def test_json_in_a_string_stays_json(self):
        done = redact.redact({"m": json.dumps({"a": 1, "password": "x"})})
        self.assertEqual({"a": 1, "password": MASK},
                         json.loads(done.payload["m"]))

    def test_bytes_without_a_secret_come_back_unchanged(self):
        for raw in (b'{ "a" :1, "b": [ ]}', b"\xff\xfe not utf-8",
                    b'{"event_type": "x", "payload": {"a": 1}', b"",
                    b'{"a": NaN}'):
            self.assertEqual(raw, redact.redact_bytes(raw))

    def test_a_definitions_own_keys_are_masked_too(self):
        rules = KeyRules(["Driver-Info"])
        done = redact.redact({"driver_info": {"a": 1}}, rules)
        self.assertEqual({"driver_info": MASK}, done.payload)


class TestHostileText(unittest.TestCase):

    def test_long_hostile_texts_are_read_in_one_go(self):
        # Quadratic patterns would take minutes on these, not a moment.
        for text in ("eyJ-" * 60000, "password" * 30000, "_" * 200000
                     + "password", "a.a" * 80000 + "://",
                     "://:" + "a" * 200000, "-----BEGIN " + "A" * 200000,
                     "<a" * 100000,
                     "\\" * 200000 + "\"", '"' * 200000, "'a':" * 60000,
                     "[" * 100000, "{" * 900 + '"', "--password " * 20000,
                     "token: " * 40000):
            with self.subTest(text=text[:20]):
                redact.redact({"m": text + " secret=x"})
                redact.redact_bytes(text.encode())

    def test_keys_do_not_grow_the_memory(self):
        rules = KeyRules()
        for number in range(20000):
            redact.redact({f"key{number}": 1, "k" * 300: 2}, rules)
        self.assertLessEqual(len(rules.strict), rules.strict.SIZE)

    def test_a_secret_that_is_a_key_is_masked(self):
        done = redact.redact({"gAAAAA" + "x" * 40: 1,
                              "amqp://u:CANARY@host": 2})
        self.assertEqual({"***": 1, "amqp://***@host": 2}, done.payload)
        self.assertEqual(2, len(done.redacted))


if __name__ == "__main__":
    unittest.main()
