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


"""``/v1.0/transforms``: how tenants want their events changed when stored."""

from collections.abc import Iterator, Mapping

from oslo_context.context import RequestContext

from monasca_events_api import documents
from monasca_events_api import filters
from monasca_events_api import rehearsal
from monasca_events_api.controllers import definitions
from monasca_events_api.controllers import resource
from monasca_events_api.controllers import trials
from monasca_events_api.policies import transforms as policies
from monasca_events_common import catalog
from monasca_events_common.catalog import Definition
from monasca_events_common.errors import Rejected
from monasca_events_common.rules import transforms
from monasca_events_common.rules.transforms import Transform

#: What a definition holds that says nothing else.
DEFAULTS: Mapping = {"description": "", "enabled": True,
                     "position": transforms.POSITION}


class TransformKind(definitions.Kind):
    """Transforms."""

    resource = catalog.TRANSFORMS
    key = "transforms"
    rules = policies.RULES_OF
    quota = "transforms"

    def complete(self, who: RequestContext, content: dict,
                 old: Mapping | None) -> dict:
        transforms.check(content)
        made = {**DEFAULTS, **content}
        made["description"] = made["description"] or ""
        definitions.check_name(made["name"], "transform.name")
        compiled = Transform(made)
        if old is None or _judges(old) != _judges(made):
            self._check_cost(compiled)
        return made

    def _check_cost(self, transform: Transform) -> None:
        limit = self.parts.conf.rules.max_cost
        if transform.cost > limit:
            raise Rejected(
                f"transform costs {transform.cost}; expected at most {limit}:"
                " use fewer operations, projections and alternatives",
                code="too_costly", where="transform")

    def show(self, found: Definition) -> dict:
        # One of another release must be seen to be mended or deleted.
        several = transforms.compile_all(
            [({**found.content, "enabled": True}, None)])
        return {"cost": next((one.cost for one in several), None)}


def _judges(content: Mapping) -> tuple:
    """Return what of a definition costs something."""
    return content["pattern"], content["operations"]


class TransformsController(definitions.DefinitionsController):
    """The collection."""

    index = definitions.DefinitionsController.index

    def __init__(self, parts: resource.Parts) -> None:
        kind = TransformKind(parts)
        super().__init__(kind)
        self.test = TestController(kind)

    def _find(self, definition_id: str) -> "TransformController":
        return TransformController(self._kind, definition_id)


class TransformController(definitions.DefinitionController):
    """One transform."""

    index = definitions.DefinitionController.index

    def __init__(self, kind: TransformKind, transform_id: str) -> None:
        super().__init__(kind, transform_id)
        self.versions = VersionsController(kind, transform_id)


class VersionsController:
    """``…/versions``: what it said, by the revisions that events name."""

    index = resource.methods()

    def __init__(self, kind: TransformKind, transform_id: str) -> None:
        self._parts = kind.parts
        self._id = transform_id

    @resource.reads(index)
    def show(self, req, resp):
        parts = self._parts
        project_id = resource.scope(
            parts, req, policies.VERSIONS,
            filters.parse_scope(req.query_string),
            policies.RULES_OF.all_projects)
        found = parts.catalog.versions(project_id, catalog.TRANSFORMS,
                                       self._id)
        links = resource.links(parts, req, f"transforms/{self._id}/versions",
                               None)
        return resource.answer({"versions": [
            {"revision": one.revision, "at": one.at, "user_id": one.user_id,
             "definition": one.content} for one in found], "links": links})


class TestController:
    """Try transforms on one event; nothing is kept."""

    index = resource.methods()

    def __init__(self, kind: TransformKind) -> None:
        self._kind = kind
        self._parts = kind.parts

    @index.when("POST")
    def post(self, req, resp):
        parts = self._parts
        who = resource.caller(parts, req, policies.TEST)
        draft, transform_id, given, event_id = documents.take(
            documents.read_document(req.environ), "transform",
            "transform_id", "event", "event_id")
        several = list(self._candidates(who, draft, transform_id))
        event = trials.event_of(parts, who.project_id, given, event_id)
        return resource.answer(rehearsal.rehearse(several, event))

    def _candidates(self, who: RequestContext, draft, transform_id
                    ) -> Iterator[rehearsal.Candidate]:
        """Yield a draft, one that is there, or else all that are in force.

        :raises Rejected: there are both, or the draft is wrong
        """
        if draft is not None and transform_id is not None:
            raise Rejected("expected either transform, a draft, or "
                           "transform_id, or neither for all that are in "
                           "force", code="invalid_field", where="transform")
        if draft is not None:
            if type(draft) is not dict:
                raise Rejected("transform is no object",
                               code="invalid_definition", where="transform")
            yield rehearsal.Candidate(self._kind.complete(
                who, {"name": trials.DRAFT, **draft}, None))
        elif transform_id is not None:
            if not resource.is_id(transform_id):
                raise Rejected("transform_id is no id", code="invalid_field",
                               where="transform_id")
            yield _candidate(self._parts.catalog.get(
                who.project_id, catalog.TRANSFORMS, transform_id))
        else:
            for one in self._all(who.project_id):
                if one.content["enabled"]:
                    yield _candidate(one)

    def _all(self, project_id: str) -> Iterator[Definition]:
        after = None
        while page := self._parts.catalog.list(
                project_id, catalog.TRANSFORMS, after=after):
            yield from page
            after = page[-1].id


def _candidate(found: Definition) -> rehearsal.Candidate:
    return rehearsal.Candidate(found.content, found.id, found.revision)
