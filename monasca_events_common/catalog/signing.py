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


"""Signing keys of webhook methods, as Standard Webhooks describes them.

A method has one key, or two while it is being changed: what is sent then
carries a signature of each, so that a receiver may take its time. The API
makes keys and shows each once; the catalog keeps them encrypted
(:mod:`monasca_events_common.catalog.secrets`); the engine signs. Source:
the Standard Webhooks specification, "Signature scheme" and "Secret rotation"
(github.com/standard-webhooks/standard-webhooks).
"""

import base64
from collections.abc import Sequence
import dataclasses
import hashlib
import hmac
import secrets

import orjson

#: What the text of a key begins with.
PREFIX = "whsec_"

#: Bytes of a key.
SIZE = 32

#: Seconds for which a replaced key may stay valid at most.
MAX_KEEP = 30 * 86400


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """One signing key.

    :ivar text: ``whsec_`` and the key in base64
    :ivar until: seconds since the epoch at which it ends; None has no end
    """

    text: str
    until: float | None = None


def make_key() -> Key:
    """Return a new key."""
    return Key(PREFIX + base64.b64encode(
        secrets.token_bytes(SIZE)).decode("ascii"))


def dump_keys(keys: Sequence[Key]) -> str:
    """Return the text that is encrypted and kept."""
    return orjson.dumps([[one.text, one.until] for one in keys]).decode()


def load_keys(text: str) -> tuple[Key, ...]:
    """Return the keys of a text that :func:`dump_keys` made, newest first."""
    return tuple(Key(*one) for one in orjson.loads(text))


def rotate(keys: Sequence[Key], new: Key, now: float, keep: float
           ) -> tuple[Key, ...]:
    """Return the keys with a new one in front.

    The one that was newest stays valid beside it; one that is older still
    goes, for there are two at most.

    :param now: seconds since the epoch
    :param keep: seconds for which the replaced key stays valid; 0 drops it
    """
    if not keys or keep <= 0:
        return (new,)
    until = now + keep
    old = keys[0]
    if old.until is not None:
        until = min(until, old.until)
    return (new, Key(old.text, until))


def live_keys(keys: Sequence[Key], now: float) -> tuple[Key, ...]:
    """Return those that have not ended, the newest first."""
    return tuple(one for one in keys if one.until is None or one.until > now)


def sign(keys: Sequence[Key], message_id: str, timestamp: int, body: bytes
         ) -> str:
    """Return the value of the header ``webhook-signature``.

    :param message_id: of the header ``webhook-id``
    :param timestamp: of the header ``webhook-timestamp``, seconds since the
        epoch
    :param body: the bytes that are sent
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join("v1," + base64.b64encode(hmac.new(
        base64.b64decode(one.text.removeprefix(PREFIX)), signed,
        hashlib.sha256).digest()).decode() for one in keys)
