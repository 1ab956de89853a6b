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

"""Templates: triggers for the usual lifecycles, usable by name.

A template is a definition with everything but whom to notify. The event
types are those of the table of lifecycles. Pure data; the API expands it when
a trigger is made, so that a later release's templates change no trigger that
is there.
"""

from collections.abc import Mapping

from monasca_events_common.errors import Rejected
from monasca_events_common.rules.lifecycles import Lifecycle
from monasca_events_common.rules.lifecycles import LIFECYCLES

#: The lifecycles whose missing end tenants may want to hear of.
_OFFERED = ("instance-create", "instance-delete", "instance-resize",
            "instance-migrate", "instance-live-migrate", "instance-rebuild",
            "instance-snapshot", "volume-create", "volume-attach",
            "volume-detach", "volume-backup", "volume-snapshot",
            "port-create", "stack-create", "stack-update")


def _absence(lifecycle: Lifecycle) -> dict:
    made = {"description": lifecycle.description, "kind": "absence",
            "severity": "MEDIUM", "group_by": list(lifecycle.group_by),
            "start": {"event_type": list(lifecycle.start)},
            "expect": {"event_type": list(lifecycle.end)},
            "within": lifecycle.seconds}
    unless = [*lifecycle.error, *lifecycle.gone]
    if unless:
        made["unless"] = {"event_type": unless}
    return made


#: name → definition without a name.
TEMPLATES: Mapping[str, Mapping] = {
    **{name: _absence(LIFECYCLES[name]) for name in _OFFERED},
    # Octavia tells of ends only; what begins is the port of the address that
    # it makes first.
    "load-balancer-create": {
        "description": "Octavia made the port of a load balancer's address, "
        "and the load balancer did not get ready. It knows nothing of load "
        "balancers on ports of one's own.",
        "kind": "sequence", "severity": "MEDIUM",
        "group_by": ["resource_id"], "within": 900,
        "steps": [
            {"name": "address", "pattern": {
                "event_type": ["port.create.end"],
                "traits": {"device_owner": ["Octavia"]}}},
            {"name": "load balancer",
             "group_by": ["traits.port_id"],
             "pattern": {"event_type": ["octavia.loadbalancer.create.end"]}},
        ]},
}


def template(name: str) -> dict:
    """Return a template's definition, named after it.

    :raises Rejected: there is none of that name
    """
    found = TEMPLATES.get(name)
    if found is None:
        raise Rejected(
            f"trigger.template is {name[:64]!r}; expected one of "
            + ", ".join(TEMPLATES), code="unknown_template",
            where="trigger.template")
    return {"name": name, **found}
