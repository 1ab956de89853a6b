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


"""``/v1.0/notification-methods``: where tenants want to be told."""

from collections.abc import Iterator, Mapping
import contextlib
import logging

from oslo_context.context import RequestContext

from monasca_events_api import documents
from monasca_events_api import filters
from monasca_events_api.controllers import definitions
from monasca_events_api.controllers import resource
from monasca_events_api.policies import notification_methods as policies
from monasca_events_common import catalog
from monasca_events_common.catalog import Definition
from monasca_events_common.catalog import methods
from monasca_events_common.catalog import signing
from monasca_events_common.errors import Conflict
from monasca_events_common.errors import Misconfigured
from monasca_events_common.errors import NotFound
from monasca_events_common.errors import Rejected
from monasca_events_common.rules.firing import format_seconds

LOG = logging.getLogger(__name__)

#: Seconds for which a replaced key stays valid unless the request says.
KEEP = 86400


class InUse(Conflict):
    """Triggers name the method."""

    code = "in_use"

    def __init__(self, method_id: str, triggers: list[str]) -> None:
        super().__init__(
            f"{len(triggers)} triggers name the notification method "
            f"{method_id}; take it out of them, or delete it with "
            "force=true, which does that")
        self.more = {"triggers": triggers}


class MethodKind(definitions.Kind):
    """Notification methods."""

    resource = catalog.METHODS
    key = "notification_methods"
    rules = policies.RULES_OF
    quota = "notification_methods"

    def complete(self, who: RequestContext, content: dict,
                 old: Mapping | None) -> dict:
        conf = self.parts.conf
        made = methods.check(content, conf.webhook,
                             conf.derived_event.prefixes)
        definitions.check_name(made["name"], "method.name")
        if old is not None and made["type"] != old["type"]:
            raise Rejected(f"method.type is {made['type']!r}, but the method "
                           f"is a {old['type']}; expected the same: make "
                           "another method", code="invalid_definition",
                           where="method.type")
        if made["type"] in methods.OPERATOR_TYPES:
            self.parts.policy.authorize(who, policies.OPERATOR_TYPES)
        return made

    def make_secret(self, content: Mapping) -> tuple[bytes | None, dict]:
        if content["type"] != methods.WEBHOOK:
            return None, {}
        key = signing.make_key()
        return (self.parts.secrets.encrypt(signing.dump_keys([key])),
                {"secret": key.text})

    def release(self, found: Definition, force: bool) -> None:
        users = list(self._users(found))
        if users and not force:
            raise InUse(found.id, [one.id for one in users])
        for one in users:
            self._take_out(found, one.id)

    def _users(self, method: Definition) -> Iterator[Definition]:
        """Yield the triggers that name a method."""
        after = None
        while page := self.parts.catalog.list(
                method.project_id, catalog.TRIGGERS, after=after):
            for one in page:
                if any(method.id in wanted for wanted
                       in one.content.get("notify", {}).values()):
                    yield one
            after = page[-1].id

    def _take_out(self, method: Definition, trigger_id: str) -> None:
        def edit(old: Definition) -> tuple[dict, None]:
            notify = {
                outcome: [one for one in wanted if one != method.id]
                for outcome, wanted in old.content.get("notify", {}).items()}
            return {**old.content, "notify": notify}, None
        # One that was deleted meanwhile names nothing any more.
        with contextlib.suppress(NotFound):
            definitions.rewrite(self.parts, catalog.TRIGGERS,
                                method.project_id, trigger_id, edit)


class MethodController(definitions.DefinitionController):
    """One method."""

    index = definitions.DefinitionController.index

    def __init__(self, kind: MethodKind, method_id: str) -> None:
        super().__init__(kind, method_id)
        self.rotate = RotateController(kind, method_id)
        self.test = TestController(kind, method_id)
        self.deliveries = DeliveriesController(kind, method_id)


class MethodsController(definitions.DefinitionsController):
    """The collection."""

    index = definitions.DefinitionsController.index

    def __init__(self, parts: resource.Parts) -> None:
        super().__init__(MethodKind(parts))

    def _find(self, definition_id: str) -> MethodController:
        return MethodController(self._kind, definition_id)


class _Part:
    """What lies below one method."""

    def __init__(self, kind: MethodKind, method_id: str) -> None:
        self._kind = kind
        self._parts = kind.parts
        self._id = method_id


class RotateController(_Part):
    """``…/rotate``: a new signing key, the old one valid beside it."""

    index = resource.methods()

    @index.when("POST")
    def post(self, req, resp):
        parts = self._parts
        who = resource.caller(parts, req, policies.ROTATE)
        keep, = documents.take(documents.read_options(req.environ),
                               "keep_seconds")
        keep = _keep(keep)
        now = parts.clock()
        told: dict = {}

        def replace(found: Definition) -> tuple[Mapping, bytes]:
            if found.content["type"] != methods.WEBHOOK:
                raise Rejected(f"a method of the type "
                               f"{found.content['type']} has no key",
                               code="no_key")
            keys = signing.rotate(self._keys(found), signing.make_key(),
                                  now.timestamp(), keep)
            told["secret"] = keys[0].text
            told["previous_until"] = format_seconds(keys[1].until) \
                if len(keys) > 1 else None
            return (found.content,
                    parts.secrets.encrypt(signing.dump_keys(keys)))

        made = definitions.rewrite(parts, catalog.METHODS, who.project_id,
                                   self._id, replace)
        return definitions.answer(self._kind, req, made, more=told)

    def _keys(self, found: Definition) -> tuple[signing.Key, ...]:
        if found.secret is None:
            return ()
        try:
            return signing.load_keys(self._parts.secrets.decrypt(
                found.secret))
        except Misconfigured as error:
            # Whoever asks for a new key shall have it.
            LOG.error("the key of the notification method %s is lost: %s",
                      found.id, error)
            return ()


def _keep(value) -> float:
    if value is None:
        return KEEP
    if type(value) not in (int, float) or not 0 <= value <= signing.MAX_KEEP:
        raise Rejected(f"keep_seconds is {str(value)[:80]}; expected 0 to "
                       f"{signing.MAX_KEEP}", code="invalid_field",
                       where="keep_seconds")
    return value


class TestController(_Part):
    """``…/test``: have the engine send a test."""

    index = resource.methods()

    @index.when("POST")
    def post(self, req, resp):
        parts = self._parts
        who = resource.caller(parts, req, policies.TEST)
        documents.take(documents.read_options(req.environ))
        found = parts.catalog.get(who.project_id, catalog.METHODS, self._id)
        firing_id, delivery_id = parts.history.ping(
            found, parts.clock().timestamp())
        return resource.answer({"delivery_id": delivery_id,
                                "firing_id": firing_id}, status=202)


class DeliveriesController(_Part):
    """``…/deliveries``: what became of what the method was to deliver."""

    index = resource.methods()

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        asked = filters.parse_listing(req.query_string, parts.conf.limits)
        project_id = resource.scope(parts, req, policies.DELIVERIES, asked,
                                    self._kind.rules.all_projects)
        parts.catalog.get(project_id, catalog.METHODS, self._id)
        found, marker = parts.history.deliveries_of(
            self._id, after=asked.query.marker, limit=asked.query.limit)
        links = resource.links(
            parts, req, f"notification-methods/{self._id}/deliveries",
            marker)
        return resource.answer(
            {"deliveries": found, "links": links},
            headers={"Link": resource.link_header(links)})
