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

"""Lifecycles: what begins and ends in a cloud, and with which events.

One table for all that looks at pairs of events: the templates of tenants'
triggers, the operators' missing ends, durations and rates of failure. The
event types are those that the services emit, of both of nova's formats; what
makes up ``resource_id`` in them is told by the agent's definitions. Pure
data.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Lifecycle:
    """Something that begins and should end.

    :ivar name: such as ``instance-create``
    :ivar description: a sentence of what is wrong when the end is missing
    :ivar start, end: event types with which it begins, and ends well; of both
        of nova's formats in the same order
    :ivar error: event types with which it fails
    :ivar gone: event types after which no end is to be expected, though
        nothing failed
    :ivar seconds: within which it has usually ended by far
    :ivar group_by: paths of what start and end have in common
    :ivar steps: names of the lifecycles that are steps of this one
    """

    name: str
    description: str
    start: Sequence[str]
    end: Sequence[str]
    error: Sequence[str] = ()
    gone: Sequence[str] = ()
    seconds: float = 300.0
    group_by: Sequence[str] = ("resource_id",)
    steps: Sequence[str] = ()


_BY_REQUEST = ("request_id",)


def _nova(*pairs: tuple[str | None, str | None]) -> list[str]:
    """Return event types of both formats; a pair is (legacy, versioned)."""
    return [f"{prefix}.{name}" for prefix, names in (
        ("compute.instance", [one for one, _ in pairs]),
        ("instance", [one for _, one in pairs])) for name in names if name]


#: What ends every wait for something of an instance: it goes.
_GONE = _nova(("delete.start", "delete.start"), ("delete.end", "delete.end"))


def _instance(name: str, seconds: float, legacy: str | None,
              versioned: str | None = None, what: str | None = None,
              errors: Sequence[str] = (),
              group_by: Sequence[str] = ("resource_id",)) -> Lifecycle:
    """Return one of nova's pairs.

    :param legacy, versioned: its names in the two formats, without
        ``compute.instance.`` and ``instance.``; the second one is like the
        first unless given
    :param errors: event types beside its own error
    """
    versioned = versioned or legacy
    each = [_nova((legacy and f"{legacy}.{edge}", f"{versioned}.{edge}"))
            for edge in ("start", "end", "error")]
    return Lifecycle(
        f"instance-{name}",
        what or f"Of an instance: {name.replace('-', ' ')} has begun and did "
        "not end.", each[0], each[1], [*each[2], *errors],
        () if legacy == "delete" else _GONE, seconds, group_by)


# Nova moves an instance in three steps on two hosts; the whole of it has no
# event of its own.
_MOVED = _nova(("finish_resize.end", "resize_finish.end"))
_NOT_MOVED = [*_nova(("resize.error", "resize.error"),
                     ("resize.prep.error", "resize_prep.error"),
                     ("finish_resize.error", "resize_finish.error")),
              "compute_task.migrate_server",
              "compute_task.migrate_server.error"]

_INSTANCES = (
    _instance("create", 900, "create", None,
              "An instance is being made and did not get ready.",
              ["compute_task.build_instances",
               "compute_task.build_instances.error",
               "scheduler.select_destinations.error"]),
    _instance("delete", 300, "delete", None,
              "An instance is being deleted and did not go."),
    _instance("shutdown", 300, "shutdown"),
    _instance("soft-delete", 300, "soft_delete"),
    _instance("restore", 300, "restore"),
    _instance("rebuild", 1800, "rebuild", None,
              "An instance is being rebuilt and did not get ready.",
              ["compute_task.rebuild_server",
               "compute_task.rebuild_server.error"]),
    Lifecycle(
        "instance-resize", "An instance is being resized, or migrated while "
        "it is off, and did not arrive. Nova says the same of both.",
        _nova(("resize.prep.start", "resize_prep.start")), _MOVED,
        _NOT_MOVED, _GONE, 1800,
        steps=("instance-migrate", "instance-resize-prepare",
               "instance-resize-transfer", "instance-resize-finish")),
    Lifecycle(
        "instance-migrate", "An instance's disk is being moved to another "
        "host, for a cold migration or a resize, and did not arrive.",
        _nova(("resize.start", "resize.start")), _MOVED, _NOT_MOVED, _GONE,
        3600, steps=("instance-resize-transfer", "instance-resize-finish")),
    _instance("resize-prepare", 300, "resize.prep", "resize_prep"),
    _instance("resize-transfer", 3600, "resize"),
    _instance("resize-finish", 900, "finish_resize", "resize_finish"),
    _instance("resize-confirm", 300, "resize.confirm", "resize_confirm"),
    _instance("resize-revert", 900, "resize.revert", "resize_revert"),
    Lifecycle(
        "instance-live-migrate", "An instance is being moved to another host "
        "while it runs, and did not arrive.",
        _nova(("live_migration.pre.start", "live_migration_pre.start")),
        _nova(("live_migration.post.dest.end",
               "live_migration_post_dest.end")),
        _nova(("live_migration._rollback.start",
               "live_migration_rollback.start"),
              ("live_migration.rollback.dest.start",
               "live_migration_rollback_dest.start"),
              ("live.migration.abort.end", "live_migration_abort.end")),
        _GONE, 3600, steps=("instance-live-migrate-prepare",
                            "instance-live-migrate-leave",
                            "instance-live-migrate-arrive")),
    _instance("live-migrate-prepare", 300, "live_migration.pre",
              "live_migration_pre"),
    _instance("live-migrate-leave", 900, "live_migration._post",
              "live_migration_post"),
    _instance("live-migrate-arrive", 900, "live_migration.post.dest",
              "live_migration_post_dest"),
    _instance("live-migrate-rollback", 900, "live_migration._rollback",
              "live_migration_rollback"),
    _instance("live-migrate-rollback-dest", 900,
              "live_migration.rollback.dest", "live_migration_rollback_dest"),
    _instance("live-migrate-abort", 300, "live.migration.abort",
              "live_migration_abort"),
    _instance("live-migrate-force", 300, "live.migration.force.complete",
              "live_migration_force_complete"),
    _instance("snapshot", 3600, "snapshot", None,
              "A snapshot of an instance has begun and did not end."),
    *(_instance(name.replace("_", "-"), seconds, name)
      for name, seconds in (
          ("power_off", 300), ("power_on", 300), ("reboot", 300),
          ("pause", 60), ("unpause", 60), ("suspend", 600), ("resume", 600),
          ("shelve", 3600), ("shelve_offload", 600), ("unshelve", 1800),
          ("rescue", 900), ("unrescue", 900), ("trigger_crash_dump", 300))),
    # The older format tells of these once, when they are done.
    *(_instance(name.replace("_", "-"), 300, None, name, None, (), (
        "resource_id", key)) for name, key in (
            ("volume_attach", "traits.volume_id"),
            ("volume_detach", "traits.volume_id"),
            ("volume_swap", "request_id"), ("interface_attach", "request_id"),
            ("interface_detach", "request_id"),
            ("share_attach", "traits.share_id"),
            ("share_detach", "traits.share_id"))),
)


def _pair(name: str, prefix: str, seconds: float,
          gone: Iterable[str] = (), what: str | None = None,
          error: Iterable[str] = (),
          group_by: Sequence[str] = ("resource_id",)) -> Lifecycle:
    """Return what begins with PREFIX.start and ends with PREFIX.end."""
    return Lifecycle(
        name, what or f"{name.replace('-', ' ').capitalize()} has begun and "
        "did not end.", [f"{prefix}.start"], [f"{prefix}.end"],
        [f"{prefix}.error", *error], list(gone), seconds, group_by)


def _nova_others() -> Iterable[Lifecycle]:
    yield _pair("scheduling", "scheduler.select_destinations", 120,
                group_by=_BY_REQUEST)
    yield Lifecycle(
        "instance-begin", "A host was chosen for an instance, and nothing "
        "began there.", ["scheduler.select_destinations.end"],
        _nova(*[(f"{one}.start", f"{one.replace('.', '_')}.start")
                for one in ("create", "resize.prep", "rebuild", "unshelve",
                            "live_migration.pre")]),
        [f"compute_task.{name}{edge}" for name in (
            "build_instances", "migrate_server", "rebuild_server")
         for edge in ("", ".error")], group_by=_BY_REQUEST)
    for legacy, versioned in (
            ("create", "create"), ("delete", "delete"),
            ("addhost", "add_host"), ("removehost", "remove_host"),
            ("updatemetadata", "update_metadata"),
            ("updateprop", "update_prop"), ("cache_images", "cache_images")):
        names = list(dict.fromkeys((legacy, versioned)))
        yield Lifecycle(
            f"aggregate-{versioned.replace('_', '-')}",
            "A change of a host aggregate has begun and did not end.",
            *([f"aggregate.{name}.{edge}" for name in names]
              for edge in ("start", "end", "error")),
            seconds=3600 if legacy == "cache_images" else 60,
            # One that is being made has no id yet.
            group_by=_BY_REQUEST if legacy == "create" else ("resource_id",))
    for name in ("create", "delete", "import"):
        yield _pair(f"keypair-{name}", f"keypair.{name}", 60)


def _cinder() -> Iterable[Lifecycle]:
    gone = ["volume.delete.start"]
    yield _pair("volume-create", "volume.create", 1800, gone,
                "A volume is being made and did not get ready.",
                ["scheduler.create_volume"])
    yield _pair("volume-delete", "volume.delete", 600)
    yield _pair("volume-attach", "volume.attach", 300, gone,
                "A volume is being attached and did not get there.")
    yield _pair("volume-detach", "volume.detach", 300, gone,
                "A volume is being detached and did not come off.")
    # Cinder calls an extension so.
    yield _pair("volume-extend", "volume.resize", 600, gone)
    yield _pair("volume-revert", "volume.revert", 3600, gone)
    yield _pair("volume-update", "volume.update", 60, gone)
    yield _pair("volume-manage", "volume.manage_existing", 600, gone)
    yield _pair("volume-unmanage", "volume.unmanage", 600)
    for name in ("create", "accept", "delete"):
        yield _pair(f"volume-transfer-{name}", f"volume.transfer.{name}", 60,
                    group_by=_BY_REQUEST)
    yield _pair("volume-snapshot", "snapshot.create", 900,
                ["snapshot.delete.start"],
                "A snapshot of a volume has begun and did not end.",
                ["scheduler.create_snapshot"])
    yield _pair("snapshot-delete", "snapshot.delete", 600)
    yield _pair("snapshot-update", "snapshot.update", 60)
    yield _pair("volume-backup", "backup.create", 14400,
                ["backup.delete.start"],
                "A backup of a volume has begun and did not end.")
    yield _pair("backup-delete", "backup.delete", 3600)
    yield _pair("backup-restore", "backup.restore", 14400)
    for name in ("group", "group_snapshot"):
        for operation in ("create", "delete", "update"):
            yield _pair(f"{name.replace('_', '-')}-{operation}",
                        f"{name}.{operation}", 1800)
        yield _pair(f"{name.replace('_', '-')}-reset",
                    f"{name.replace('_', '')}s.reset_status", 60,
                    group_by=_BY_REQUEST)


def _neutron() -> Iterable[Lifecycle]:
    for name in ("network", "subnet", "subnetpool", "address_scope", "port",
                 "router", "floatingip", "security_group",
                 "security_group_rule", "trunk"):
        spoken = name.replace("_", "-")
        # What is being made has no id yet when neutron says that it begins.
        yield _pair(f"{spoken}-create", f"{name}.create", 60,
                    what="A port was asked for and was not made."
                    if name == "port" else None, group_by=_BY_REQUEST)
        yield _pair(f"{spoken}-update", f"{name}.update", 60,
                    [f"{name}.delete.end"])
        yield _pair(f"{spoken}-delete", f"{name}.delete", 60)


def _others() -> Iterable[Lifecycle]:
    for name in ("create", "update", "delete", "suspend", "resume", "check",
                 "snapshot", "restore", "rollback", "adopt"):
        yield _pair(
            f"stack-{name}", f"orchestration.stack.{name}", 3600,
            () if name == "delete" else ["orchestration.stack.delete.start"],
            f"A stack's {name} has begun and did not end.")
    yield Lifecycle(
        "image-upload", "An image's data is being taken in, and the image "
        "did not get ready.", ["image.prepare"], ["image.activate"],
        gone=["image.delete"], seconds=3600)
    yield Lifecycle(
        "image-task", "A task of the image service runs and did not end.",
        ["task.run"], ["task.success"], ["task.failure"], seconds=7200)
    for name in ("create", "delete", "extend", "shrink"):
        yield _pair(f"share-{name}", f"share.{name}", 1800)
    for name in ("create", "delete"):
        yield _pair(f"database-{name}", f"trove.instance.{name}", 3600)
    node = "baremetal.node"
    yield Lifecycle(
        "node-provision", "A bare metal node is to reach another state and "
        "did not.", [f"{node}.provision_set.start"],
        [f"{node}.provision_set.end", f"{node}.provision_set.success"],
        [f"{node}.provision_set.error"], seconds=3600)
    yield _pair("node-power", f"{node}.power_set", 600)
    for name in ("create", "update", "delete", "console_set",
                 "console_restore", "maintenance_set"):
        yield _pair(f"node-{name.replace('_', '-')}", f"{node}.{name}", 300)


#: name → lifecycle.
LIFECYCLES: Mapping[str, Lifecycle] = {
    one.name: one for one in (*_INSTANCES, *_nova_others(), *_cinder(),
                              *_neutron(), *_others())}
