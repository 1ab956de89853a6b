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

from collections.abc import Mapping

from oslo_context.context import RequestContext

from monasca_events_api.controllers import definitions
from monasca_events_api.controllers import resource
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
        try:
            return {"cost": Transform(found.content).cost}
        except Rejected:
            # Of another release; it must be there to be mended or deleted.
            return {"cost": None}


def _judges(content: Mapping) -> tuple:
    """Return what of a definition costs something."""
    return content["pattern"], content["operations"]


class TransformsController(definitions.DefinitionsController):
    """The collection."""

    index = definitions.DefinitionsController.index

    def __init__(self, parts: resource.Parts) -> None:
        super().__init__(TransformKind(parts))
