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


"""The life of a server: nova, and those it calls upon the way."""

import dataclasses

from monasca_events_agent.traffic import cloud as clouds
from monasca_events_agent.traffic.life import Life
from monasca_events_agent.traffic.life import Scenario
from monasca_events_agent.traffic.services import cinder
from monasca_events_agent.traffic.services import glance
from monasca_events_agent.traffic.services import neutron
from monasca_events_agent.traffic.services import nova
from monasca_events_agent.traffic.services.nova import Server


def server(life: Life) -> Scenario:
    """From the request to the deletion, with some of what may come between."""
    vm = Server(life)
    port = neutron.Port(life, vm.port_id, vm.instance_id)
    if (yield from _create(life, vm, port)) != "end":
        return
    events = (_resize, _migrate, _snapshot, _volume, _reboot, _stop, _pause,
              _audit)
    for event in life.draw.choices(events, k=life.draw.randrange(4)):
        life.new_request()
        if (yield from event(life, vm)) == "never":
            return
    life.new_request()
    yield from _delete(life, vm, port)


def _create(life, vm, port):
    yield from life.operation(lambda edge: nova.schedule(vm, edge), 0.4,
                              rest=0.3, may_fail=False)
    vm.place()

    def say(edge):
        if edge == "end":
            vm.state, vm.task, vm.power = "active", None, "running"
            vm.launched_at = life.now
        elif edge == "error":
            vm.state = "error"
        return vm.say("create", edge)

    def within(fate):
        yield _update(vm, "networking"), 0.2
        yield port.say("create", "start"), life.about(0.3)
        yield port.say("create", "end"), life.about(1)
        yield _update(vm, "spawning"), 0.1
        yield port.say("update", "start"), life.about(0.3)
        port.host = vm.host
        yield port.say("update", "end"), life.about(10)

    vm.task = ""
    return (yield from life.operation(say, 1, rest=60, within=within))


def _update(vm, task):
    """A step of a task, as nova tells it."""
    before, vm.task = vm.task or None, task
    now = vm.life.now.replace(tzinfo=None)
    return vm.say("update", extra={
        "old_state": vm.state, "old_task_state": before,
        "new_task_state": task, "audit_period_ending": now.isoformat(),
        "audit_period_beginning": now.replace(
            day=1, hour=0, minute=0, second=0, microsecond=0).isoformat()})


def _resize(life, vm):
    """To another flavour and another host, then confirmed or reverted."""
    vm.task = "resize_prep"
    fate = yield from life.operation(lambda edge: vm.say("resize_prep", edge),
                                     1.5, rest=0.5)
    if fate != "end":
        return fate
    vm.task = "resize_migrating"
    fate = yield from life.operation(lambda edge: vm.say("resize", edge), 15,
                                     rest=1)
    if fate != "end":
        return fate
    before = vm.flavor, vm.host
    vm.flavor = life.draw.choice(clouds.FLAVORS)
    vm.place()
    vm.task = "resize_finish"
    fate = yield from life.operation(
        lambda edge: vm.say("resize_finish", edge), 6, rest=40)
    if fate != "end":
        return fate
    vm.state, vm.task = "resized", None
    last = "resize_revert" if life.chance(0.2) else "resize_confirm"
    if last == "resize_revert":
        vm.flavor, vm.host = before
    fate = yield from life.operation(lambda edge: vm.say(last, edge), 3)
    vm.state, vm.task = "active", None
    return fate


def _migrate(life, vm):
    """Live, by an administrator: the context is the operator's project, the
    payload still names the owner's."""
    administrator = life.cloud.operator.users[0]

    def say(operation):
        def speak(edge):
            found = vm.say(operation, edge)
            context = clouds.context(life.cloud.operator, administrator,
                                     life.request_id, life.now, "nova")
            return [dataclasses.replace(each, context=context)
                    for each in found]
        return speak

    vm.task = "migrating"
    fate = yield from life.operation(say("live_migration_pre"), 4, rest=20,
                                     may_fail=False)
    if fate == "end":
        yield from life.operation(say("live_migration_post"), 2, rest=0.5,
                                  may_fail=False)
        vm.place()
        yield from life.operation(say("live_migration_post_dest"), 1,
                                  may_fail=False)
    vm.task = None
    return fate


def _snapshot(life, vm):
    image = glance.Image(life, f"{vm.name}-snapshot")
    yield image.say("create"), life.about(0.5)
    vm.task = "image_snapshot"
    fate = yield from life.operation(
        lambda edge: vm.say("snapshot", edge,
                            {"snapshot_image_name": image.name,
                             "image_id": image.image_id}), 20, rest=1)
    vm.task = None
    if fate == "end":
        yield from image.upload()
    return fate


def _volume(life, vm):
    """A volume is made, attached, and perhaps detached and deleted."""
    volume = cinder.Volume(life)
    fate = yield from volume.create()
    if fate != "end":
        return "end"
    volume.server_id = vm.instance_id
    extra = {"volume_id": volume.volume_id}

    def change(operation, status):
        def within(fate):
            if fate != "end":
                return
            yield volume.say(operation, "start"), life.about(0.5)
            volume.status = status
            yield volume.say(operation, "end"), life.about(1)

        return life.operation(
            lambda edge: vm.say(f"volume_{operation}", edge, extra), 1,
            rest=120, within=within)

    vm.volumes.append(volume.volume_id)
    fate = yield from change("attach", "in-use")
    if fate != "end":
        vm.volumes.remove(volume.volume_id)
    if fate != "end" or life.chance(0.4):
        return fate
    life.new_request()
    fate = yield from change("detach", "available")
    if fate == "end":
        vm.volumes.remove(volume.volume_id)
        yield from volume.delete()
    return fate


def _reboot(life, vm):
    vm.task = "rebooting"
    fate = yield from life.operation(lambda edge: vm.say("reboot", edge), 8,
                                     rest=30)
    vm.task = None
    return fate


def _stop(life, vm):
    fate = yield from life.operation(lambda edge: vm.say("power_off", edge),
                                     5, rest=60)
    if fate != "end":
        return fate
    vm.state, vm.power = "stopped", "shutdown"
    fate = yield from life.operation(lambda edge: vm.say("power_on", edge), 5,
                                     rest=30)
    vm.state, vm.power = "active", "running"
    return fate


def _pause(life, vm):
    fate = yield from life.operation(lambda edge: vm.say("pause", edge), 1,
                                     rest=45, may_fail=False)
    if fate != "end":
        return fate
    vm.state, vm.power = "paused", "paused"
    fate = yield from life.operation(lambda edge: vm.say("unpause", edge), 1,
                                     rest=20, may_fail=False)
    vm.state, vm.power = "active", "running"
    return fate


def _audit(life, vm):
    """The hourly record that the server exists."""
    hour = life.now.replace(minute=0, second=0, microsecond=0, tzinfo=None)
    yield vm.say("exists", extra={
        "audit_period_beginning": str(hour), "bandwidth": {},
        "audit_period_ending": str(life.now.replace(tzinfo=None))}), 20.0
    return "end"


def _delete(life, vm, port):
    def say(edge):
        if edge == "end":
            vm.state, vm.task, vm.power = "deleted", None, "pending"
        return vm.say("delete", edge)

    def within(fate):
        yield from life.operation(lambda edge: vm.say("shutdown", edge), 3,
                                  rest=0.3, may_fail=False)
        yield port.say("delete", "start"), life.about(0.3)
        yield port.say("delete", "end"), life.about(0.5)
        vm.terminated_at = vm.deleted_at = life.now

    vm.task = "deleting"
    yield from life.operation(say, 0.5, rest=1, within=within)
