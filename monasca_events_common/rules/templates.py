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
types are those that the services emit, of both of nova's formats; what makes
up ``resource_id`` in them is told by the agent's definitions. Pure data; the
API expands it when a trigger is made, so that a later release's templates
change no trigger that is there.
"""

from collections.abc import Mapping, Sequence

from monasca_events_common.errors import Rejected


def _types(*names: str) -> dict:
    return {"event_type": list(names)}


def _nova(*pairs: tuple[str | None, str | None]) -> list[str]:
    """Return event types of both formats; a pair is (legacy, versioned)."""
    return [f"{prefix}.{name}" for prefix, names in (
        ("compute.instance", [one for one, _ in pairs]),
        ("instance", [one for _, one in pairs])) for name in names if name]


#: What ends every wait for something of an instance: it goes.
_GONE = (("delete.start", "delete.start"), ("delete.end", "delete.end"))


def _absence(description: str, within: float, start: Sequence[str],
             expect: Sequence[str], unless: Sequence[str] = (),
             group_by: str = "resource_id") -> dict:
    made = {"description": description, "kind": "absence",
            "severity": "MEDIUM", "group_by": [group_by],
            "start": _types(*start), "expect": _types(*expect),
            "within": within}
    if unless:
        made["unless"] = _types(*unless)
    return made


def _volume(operation: str, description: str, within: float,
            *others: str, service: str = "volume") -> dict:
    """Return the template of one of cinder's pairs.

    :param others: event types that end the wait besides its own error
    """
    name = f"{service}.{operation}"
    return _absence(description, within, [f"{name}.start"], [f"{name}.end"],
                    [f"{name}.error", *others])


def _instance(operation: str, description: str, within: float,
              *others: str) -> dict:
    """Return the template of a pair that nova's formats name alike."""
    return _absence(
        description, within,
        _nova((f"{operation}.start", f"{operation}.start")),
        _nova((f"{operation}.end", f"{operation}.end")),
        [*_nova((f"{operation}.error", f"{operation}.error"), *_GONE),
         *others])


def _stack(operation: str) -> dict:
    name = f"orchestration.stack.{operation}"
    return _absence(
        f"A stack's {operation} has begun and did not end.", 3600,
        [f"{name}.start"], [f"{name}.end"],
        [f"{name}.error", "orchestration.stack.delete.start"])


_MOVED = _nova(("finish_resize.end", "resize_finish.end"))
_NOT_MOVED = [*_nova(("resize.error", "resize.error"),
                     ("resize.prep.error", "resize_prep.error"),
                     ("finish_resize.error", "resize_finish.error"), *_GONE),
              "compute_task.migrate_server",
              "compute_task.migrate_server.error"]

#: name → definition without a name.
TEMPLATES: Mapping[str, Mapping] = {
    "instance-create": _instance(
        "create", "An instance is being made and did not get ready.", 900,
        "compute_task.build_instances", "compute_task.build_instances.error",
        "scheduler.select_destinations.error"),
    "instance-delete": _absence(
        "An instance is being deleted and did not go.", 300,
        _nova(("delete.start", "delete.start")),
        _nova(("delete.end", "delete.end")),
        _nova(("delete.error", "delete.error"))),
    "instance-resize": _absence(
        "An instance is being resized, or migrated while it is off, and did "
        "not arrive. Nova says the same of both.", 1800,
        _nova(("resize.prep.start", "resize_prep.start")), _MOVED,
        _NOT_MOVED),
    "instance-migrate": _absence(
        "An instance's disk is being moved to another host, for a cold "
        "migration or a resize, and did not arrive.", 3600,
        _nova(("resize.start", "resize.start")), _MOVED, _NOT_MOVED),
    "instance-live-migrate": _absence(
        "An instance is being moved to another host while it runs, and did "
        "not arrive.", 3600,
        _nova(("live_migration.pre.start", "live_migration_pre.start")),
        _nova(("live_migration.post.dest.end",
               "live_migration_post_dest.end")),
        _nova(("live_migration._rollback.start",
               "live_migration_rollback.start"),
              ("live_migration.rollback.dest.start",
               "live_migration_rollback_dest.start"),
              ("live.migration.abort.end", "live_migration_abort.end"),
              *_GONE)),
    "instance-rebuild": _instance(
        "rebuild", "An instance is being rebuilt and did not get ready.",
        1800, "compute_task.rebuild_server",
        "compute_task.rebuild_server.error"),
    "instance-snapshot": _instance(
        "snapshot", "A snapshot of an instance has begun and did not end.",
        3600),
    "volume-create": _volume(
        "create", "A volume is being made and did not get ready.", 1800,
        "scheduler.create_volume", "volume.delete.start"),
    "volume-attach": _volume(
        "attach", "A volume is being attached and did not get there.", 300,
        "volume.delete.start"),
    "volume-detach": _volume(
        "detach", "A volume is being detached and did not come off.", 300,
        "volume.delete.start"),
    "volume-backup": _volume(
        "create", "A backup of a volume has begun and did not end.", 14400,
        "backup.delete.start", service="backup"),
    "volume-snapshot": _volume(
        "create", "A snapshot of a volume has begun and did not end.", 900,
        "scheduler.create_snapshot", "snapshot.delete.start",
        service="snapshot"),
    # A port has no id yet when neutron says that it begins.
    "port-create": _absence(
        "A port was asked for and was not made.", 60, ["port.create.start"],
        ["port.create.end"], group_by="request_id"),
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
             "pattern": _types("octavia.loadbalancer.create.end")}]},
    "stack-create": _stack("create"),
    "stack-update": _stack("update"),
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
