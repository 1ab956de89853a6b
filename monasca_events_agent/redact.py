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


"""The redactor: takes secrets out of what others sent, before any disk.

The normaliser hands it every payload; whoever writes dead letters hands it
the raw bytes. It never raises for what it is given and has no I/O.
"""

from collections.abc import Mapping

import msgspec
import orjson

from monasca_events_agent import secret_text
from monasca_events_agent.secret_keys import KeyRules
from monasca_events_agent.secret_text import suspicious
from monasca_events_agent.secret_text import TEXT_ONLY
from monasca_events_agent.shape import Parsed
from monasca_events_agent.shape import Shape
from monasca_events_agent.walk import GONE
from monasca_events_agent.walk import label
from monasca_events_agent.walk import Walk

#: What the redactor knows without definitions.
RULES = KeyRules()

# A dead letter may be of any service, and broken, so no definition is asked:
# what one of them masks is masked in all.
_BYTES_RULES = KeyRules((
    "credential", "locations", "direct_url", "provider_auth", "driver_info",
    "instance_info", "driver_internal_info", "parameters", "environment",
    "outputs", "auth_key", "export_locations", "trustee_password",
    "replication_driver_data", "agent_secret_token", "secret_ref",
    "ca_cert_ref", "magnum_cert_ref", "tls_certificate_id", *TEXT_ONLY))

# JSON within a string within JSON …: deeper than this only patterns look.
_EMBEDDED = 3


# Not orjson, which does not know what a payload is parsed to.
_encode = msgspec.json.Encoder().encode


class Redacted(msgspec.Struct, gc=False):
    """A payload that is safe to keep, and what was done to it.

    :ivar payload: plain JSON values; while ``borrowed``, with containers of
        the input, so not to be changed before :meth:`own` was called
    :ivar size: bytes that it takes encoded, or a few more
    :ivar keys: as many as it has, all levels together, or a few more
    :ivar longest: characters of its longest text, or more
    :ivar redacted: paths of what was masked or removed
    :ivar truncated: paths of what was cut or left out for being too deep
    :ivar shape: the payload's, where it is known
    :ivar parsed: the payload, taken apart by its shape
    """

    payload: dict
    size: int
    keys: int
    longest: int
    redacted: list[str]
    truncated: list[str]
    shape: Shape | None = None
    parsed: Parsed | None = None
    borrowed: bool = False

    @property
    def encoded(self) -> bytes:
        """The payload's bytes."""
        return orjson.dumps(self.payload)

    def own(self) -> None:
        """Make ready for a change: with a payload that nobody else has."""
        if self.borrowed:
            self.payload = orjson.loads(self.encoded)
            self.borrowed = False
        self.shape = self.parsed = None


def redact(payload: Mapping, rules: KeyRules = RULES, *, depth: int = 20,
           wrapper: str | None = None, likely: str = "") -> Redacted:
    """Return the payload without secrets, as plain JSON values.

    Most payloads have none, which costs a third to prove of what it would to
    look for them.

    :param rules: which keys carry secrets
    :param depth: deepest container that is kept, the payload being 1; what
        lies below becomes null
    :param wrapper: key such as ``nova_object.data``; an object that has it is
        replaced by that key's value, at every level
    :param likely: such as the event type: payloads for which it is the same
        often have the same shape
    """
    found = rules.shapes.examine(payload, depth, wrapper, likely) \
        if type(payload) is dict else None
    if found is None:
        return walked(payload, rules, depth, wrapper)
    plain, shape, parsed = found
    try:
        texts = _encode(shape.texts(parsed))
    except UnicodeEncodeError:
        # Half a UTF-16 pair has no UTF-8 form.
        return walked(payload, rules, depth, wrapper)
    if suspicious(texts):
        return walked(payload, rules, depth, wrapper)
    longest = len(texts)
    size = longest + shape.overhead
    # No key takes less than "":0 and a comma.
    return Redacted(plain, size, size // 5, longest, [], [], shape, parsed,
                    True)


def walked(payload: Mapping, rules: KeyRules, depth: int,
           wrapper: str | None) -> Redacted:
    """Do the same by walking through the payload."""
    walk = Walk(rules, depth, wrapper)
    plain = walk.object(payload, 1, rules.strict)
    if type(plain) is not dict:
        plain = {} if plain is GONE else {"value": plain}
    plain = _mask_texts(plain, walk, rules)
    try:
        encoded = orjson.dumps(plain)
    except (TypeError, ValueError):
        # Half a UTF-16 pair has no UTF-8 form.
        plain = _paired(plain)
        encoded = orjson.dumps(plain)
    return Redacted(plain, len(encoded), walk.keys, len(encoded),
                    walk.redacted, walk.truncated)


def redact_text(text: str, rules: KeyRules = RULES) -> str:
    """Return one string without the secrets that can be recognised in it."""
    return _text(text, rules, 0)


def redact_bytes(raw: bytes) -> bytes:
    """Return a dead letter's raw bytes with the secrets masked.

    Bytes that hold none come back as they are. What is no JSON, or only the
    beginning of some, is masked by patterns and stays as broken as it was.
    """
    text = raw.decode("utf-8", "surrogateescape")
    try:
        masked = _json(text, _BYTES_RULES, 0)
    except ValueError:
        masked = secret_text.mask(text, _BYTES_RULES.hides_anywhere)
    if masked == text:
        return raw
    return masked.encode("utf-8", "surrogateescape")


def _mask_texts(plain, walk: Walk, rules: KeyRules, embedded: int = 0):
    """Return the value with the secrets inside its strings masked.

    :param embedded: in how many strings of JSON the value stands
    """
    hints = secret_text.hints(walk.texts)
    if not hints:
        return plain
    masked = {}
    for text in walk.texts:
        lower = text.lower()
        if any(hint in lower for hint in hints) and text not in masked:
            masked[text] = _text(text, rules, embedded)
    changed = {text: safe for text, safe in masked.items() if text != safe}
    return _replace(plain, changed, walk) if changed else plain


def _replace(value, changed: dict[str, str], walk: Walk):
    kind = type(value)
    if kind is str:
        safe = changed.get(value)
        if safe is None:
            return value
        walk.redacted.append(label(walk.path))
        return safe
    if kind is dict:
        for key, below in value.items():
            walk.path.append(key)
            value[key] = _replace(below, changed, walk)
            walk.path.pop()
    elif kind is list:
        for index, below in enumerate(value):
            walk.path.append(index)
            value[index] = _replace(below, changed, walk)
            walk.path.pop()
    return value


def _text(text: str, rules: KeyRules, embedded: int) -> str:
    start = text[:64].lstrip()[:1]
    if (start == "{" or start == "[") and embedded < _EMBEDDED:
        try:
            return _json(text, rules, embedded + 1)
        except ValueError:
            pass
    return secret_text.mask(text, rules.hides)


def _json(text: str, rules: KeyRules, embedded: int) -> str:
    """Return JSON text redacted; the same text where there was nothing.

    :raises ValueError: it is no JSON
    """
    value = orjson.loads(text)
    if type(value) is not dict and type(value) is not list:
        return secret_text.mask(text, rules.hides)
    # As deep as orjson can write; what it cannot, patterns have to do.
    walk = Walk(rules, 200, None)
    plain = walk.value(value, 1, rules.strict)
    if walk.truncated:
        raise ValueError("too deep")
    plain = _mask_texts(plain, walk, rules, embedded)
    if not walk.redacted:
        return text
    return orjson.dumps(plain).decode()


def _paired(value) -> object:
    """Return the value with every lone surrogate replaced by U+FFFD."""
    kind = type(value)
    if kind is str:
        return value.encode("utf-16", "surrogatepass").decode(
            "utf-16", "replace")
    if kind is dict:
        return {_paired(key): _paired(below) for key, below in value.items()}
    if kind is list:
        return [_paired(below) for below in value]
    return value
