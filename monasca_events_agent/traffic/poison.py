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


"""Messages that no well-behaved service sends, by kind.

One corpus for every stage and for both roads: the body of a raw AMQP message,
and the line of a file source. Each kind says what must become of it. Covers
F12 of the fault matrix.
"""

from collections.abc import Callable, Iterable, Iterator
import dataclasses
import json
import random

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.notification import Notification

#: What must become of a kind: it becomes an event, a dead letter, or either
#: of them, but never nothing and never a restart.
STORED, DEAD, EITHER = "stored", "dead", "either"


@dataclasses.dataclass(frozen=True, slots=True)
class Poison:
    """One poisonous message.

    :ivar marker: text found in its bytes, by which it is recognised
    :ivar body: the AMQP message's body
    :ivar line: a file source's line without its end, or None where the kind
        makes no sense there
    :ivar project_id: whose event it would be; None for nobody's
    :ivar message_id: its id, or None where it has none
    :ivar expect: stored, dead or either
    :ivar code: the dead letter's code, where one is expected
    :ivar life: the lifecycle that it came amid
    """

    kind: str
    marker: str
    body: bytes
    line: bytes | None
    project_id: str | None
    message_id: str | None
    expect: str
    code: str | None
    life: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is made.

    :ivar expect: stored, dead or either; ``code``: of the dead letter
    :ivar make: changes a sound message, or returns the inner bytes instead
    :ivar outer: whether those bytes are the whole body, without an envelope
    :ivar in_file: whether a file's line can be like that
    :ivar has_project: whether it names a project that could be one
    :ivar has_id: whether its message id is the id of its event
    """

    name: str
    expect: str
    code: str | None
    make: Callable[[dict], bytes | None]
    outer: bool = False
    in_file: bool = True
    has_project: bool = True
    has_id: bool = True


def _set(**changes) -> Callable[[dict], None]:
    return lambda message: message.update(changes)


def _put(key: str, value) -> Callable[[dict], None]:
    return lambda message: message["payload"].update({key: value})


def _drop(key: str) -> Callable[[dict], None]:
    def change(message):
        del message[key]
    return change


def _keep(value: object) -> Callable[[dict], None]:
    """Replace the payload; the marker moves into the publisher's name."""
    def change(message):
        message["publisher_id"] = message["payload"]["marker"]
        message["payload"] = value
    return change


def _rename(message: dict) -> None:
    message["message_id"] = message["message_id"] + "x" * 564


def _homeless(project_id: str) -> Callable[[dict], None]:
    def change(message):
        message["payload"]["tenant_id"] = project_id
        message["_context_project_id"] = message["_context_project"] = None
        message["_context_tenant"] = None
    return change


def _deep(message: dict) -> None:
    for _ in range(300):
        message["payload"] = {"below": message["payload"]}
    message["publisher_id"] = _marker(message)


def _marker(message: dict) -> str:
    below = message["payload"]
    while "marker" not in below:
        below = below["below"]
    return below["marker"]


def _bytes(pattern: bytes) -> Callable[[dict], bytes]:
    return lambda message: pattern.replace(
        b"MARKER", message["payload"]["marker"].encode())


def _cut(message: dict) -> bytes:
    return json.dumps(message).encode()[:-12]


def _twice(message: dict) -> bytes:
    return json.dumps(message)[:-1].encode() + b', "priority": "WARN"}'


def _envelope_9(message: dict) -> bytes:
    return json.dumps({"oslo.version": "9.0",
                       "oslo.message": json.dumps(message)}).encode()


KINDS = (
    Kind("not_json", DEAD, "not_json", _bytes(b"MARKER says hello"), True),
    Kind("bad_utf8", DEAD, "not_json", _bytes(b'{"MARKER": "\xff\xfe\xc3("}'),
         True),
    Kind("cut_short", DEAD, "not_json", _cut),
    Kind("an_array", DEAD, "not_an_object", _bytes(b'["MARKER"]'), True),
    Kind("a_text", DEAD, "not_an_object", _bytes(b'"MARKER"'), True),
    Kind("inner_not_json", DEAD, "not_json", _bytes(b"{MARKER"),
         in_file=False),
    Kind("inner_array", DEAD, "not_an_object", _bytes(b'["MARKER"]'),
         in_file=False),
    Kind("envelope_version", DEAD, "unsupported_version", _envelope_9, True,
         in_file=False),
    Kind("no_event_type", DEAD, "event_type_missing", _drop("event_type")),
    Kind("event_type_number", DEAD, "event_type_missing",
         _set(event_type=7)),
    Kind("event_type_long", EITHER, None, _set(event_type="a" * 2000)),
    Kind("no_message_id", STORED, None, _drop("message_id"), has_id=False),
    # Its event's id is not ours to foretell: stages may shorten it first.
    Kind("message_id_long", STORED, None, _rename, has_id=False),
    Kind("no_timestamp", STORED, None, _drop("timestamp")),
    Kind("bad_timestamp", STORED, None, _set(timestamp="yesterday")),
    Kind("no_payload", STORED, None, lambda message: (
        _keep(None)(message), message.pop("payload"))[0]),
    Kind("payload_null", STORED, None, _keep(None)),
    Kind("payload_number", STORED, None, _keep(1)),
    Kind("payload_text", STORED, None, _keep("it happened")),
    Kind("payload_array", STORED, None, _keep([{"a": 1}, 2])),
    Kind("huge_integer", STORED, None, _put("number", 2 ** 70)),
    Kind("not_a_number", EITHER, None, _put("number", float("nan"))),
    Kind("depth_300", STORED, None, _deep),
    Kind("key_1mb", EITHER, None, _put("k" * 2 ** 20, 1)),
    Kind("text_1mb", EITHER, None, _put("text", "word " * 2 ** 18)),
    Kind("keys_5000", STORED, None,
         lambda message: message["payload"].update(
             (f"key{number}", number) for number in range(5000))),
    Kind("blank_key", STORED, None, _put("", {" ": 1, ".": 2})),
    Kind("lone_surrogate", EITHER, None, _put("text", "\ud800 alone")),
    Kind("nul", STORED, None, _put("text", "a\0b")),
    Kind("same_key_twice", STORED, None, _twice),
    Kind("priority_unknown", STORED, None, _set(priority="SHOUT")),
    Kind("project_path", STORED, None, _homeless("../../etc"),
         has_project=False),
    Kind("project_list", STORED, None, _homeless("a,b,*"),
         has_project=False),
)


def make(kind: Kind, number: int, like: Notification, seed: int,
         message_id: str, *, secret: str | None = None) -> Poison:
    """Return a message of a kind.

    :param like: the notification whose tenant and time it borrows
    :param secret: the caller's token, which must not lie among dead letters
    """
    marker = f"poison-{seed}-{number}"
    project_id = like.project_id or f"{seed:032x}"[:32]
    message = {"message_id": message_id, "publisher_id": "compute.poisoned",
               "event_type": "compute.instance.update", "priority": "INFO",
               "timestamp": like.timestamp,
               "_context_project_id": project_id,
               "_context_request_id": "req-poison",
               "_context_auth_token": secret,
               "payload": {"tenant_id": project_id, "marker": marker,
                           "state": "active"}}
    inner = kind.make(message)
    if not isinstance(inner, bytes):
        inner = json.dumps(message).encode()
    body = inner if kind.outer else json.dumps(
        {"oslo.version": "2.0", "oslo.message": inner.decode()}).encode()
    return Poison(kind.name, marker, body, inner if kind.in_file else None,
                  project_id if kind.has_project else None,
                  message.get("message_id") if kind.has_id
                  and kind.expect != DEAD else None,
                  kind.expect, kind.code, like.life)


def mixed(notifications: Iterable[Notification], share: float, seed: int,
          *, in_file: bool = False, canaries: bool = False
          ) -> Iterator[Notification | Poison]:
    """Yield the notifications with poison after some of them, kind by kind.

    :param in_file: leave out what a file's line cannot be
    :param canaries: give each a token from ``CANARY-1000000`` on
    """
    kinds = [kind for kind in KINDS if kind.in_file or not in_file]
    dice = random.Random(f"{seed}/poison")
    number = 0
    for notification in notifications:
        yield notification
        if dice.random() < share:
            kind = kinds[number % len(kinds)]
            secret = f"CANARY-{10 ** 6 + number}" if canaries else None
            yield make(kind, number, notification, seed,
                       clouds.new_uuid(dice), secret=secret)
            number += 1
