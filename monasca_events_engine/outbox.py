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

"""The outbox: from what triggers found to rows of firings and deliveries.

Whether a firing is delivered is decided here, once, and written down with it:
dry runs, muted times and exceeded rates leave a record and no delivery. Pure
but for the memory of recent firings.
"""

import collections
from collections.abc import Callable, Mapping, Sequence
import uuid

import orjson

from monasca_events_common import metrics
from monasca_events_common.rules import firing as firings
from monasca_events_common.rules import restraint
from monasca_events_common.rules.firing import Finding
from monasca_events_common.rules.trigger import Rule

#: Seconds for which a new delivery is this process's before others may take
#: it.
LEASE = 60.0

# Root of the name-based ids of deliveries (RFC 9562, version 5).
_NAMESPACE = uuid.UUID("51d0bb5e-7c1f-5c38-9b0c-8a7be2f1d6aa")


def delivery_id(firing_id: str, receiver: str) -> str:
    """Return the identity of a delivery: its idempotency key.

    :param receiver: id of the notification method, or name of the action
    """
    return str(uuid.uuid5(_NAMESPACE, f"{firing_id}/{receiver}"))


class Outbox:
    """Makes rows. Used from one thread at a time."""

    def __init__(self, conf, owner: str,
                 operator_methods: Callable[[str], Sequence[tuple[str, str]]],
                 delay: Callable[[str], float] = lambda _action: 0.0) -> None:
        """
        :param conf: the group ``[engine]``
        :param owner: name of this process in the leases of deliveries
        :param operator_methods: of an operators' trigger's name, returns
            (method id, type) of those that are told of its firings
        :param delay: of an action's name, returns the seconds for which it
            may still be cancelled
        """
        self.conf = conf
        self._owner = owner
        self._operator_methods = operator_methods
        self._delay = delay
        self._recent: dict[str, collections.deque[float]] = {}

    def rows(self, rule: Rule, key: Mapping, project_id: str,
             finding: Finding, now: float, methods: Mapping[str, str]
             ) -> tuple[dict, list[dict]]:
        """Return the rows of a firing and of its deliveries.

        :param project_id: whose events they are
        :param now: seconds since the epoch
        :param methods: id → type of notification methods that there are
        """
        owner_project = rule.project_id or self.conf.operator_project_id \
            or project_id
        labels = key if rule.project_id else {"project_id": project_id, **key}
        hold = self.hold(rule, finding, now)
        if hold == "limited":
            metrics.LIMITED.labels("firings").inc()
        content = firings.content(
            rule, labels, finding, project_id=owner_project,
            subject_project_id=project_id, hold=hold)
        firing_id = content["firing_id"]
        row = {"firing_id": firing_id, "project_id": owner_project,
               "trigger_id": rule.id, "at": finding.at,
               "outcome": finding.outcome,
               "content": orjson.dumps(content).decode(), "created_at": now}
        return row, [
            self._delivery(firing_id, owner_project, method_id, action, delay,
                           hold, now)
            for method_id, action, delay in self._receivers(rule, finding,
                                                            methods)]

    def _receivers(self, rule: Rule, finding: Finding,
                   methods: Mapping[str, str]
                   ) -> Sequence[tuple[str | None, str, float]]:
        """Return (method id or None, action, seconds to wait before it)."""
        if rule.project_id is not None:
            wanted = (rule.settings.get("notify") or {}).get(
                finding.outcome, ())
            return [(one, methods[one], 0.0) for one in wanted
                    if one in methods]
        return [*((one, kind, 0.0)
                  for one, kind in self._operator_methods(rule.id)),
                *((None, action, self._delay(action))
                  for action in rule.settings.get("actions", ())
                  if finding.outcome == firings.FIRED)]

    def _delivery(self, firing_id: str, project_id: str,
                  method_id: str | None, action: str, delay: float,
                  hold: str | None, now: float) -> dict:
        waits = delay > 0 and hold is None
        return {
            "delivery_id": delivery_id(firing_id, method_id or action),
            "firing_id": firing_id, "project_id": project_id,
            "method_id": method_id, "action": action,
            "status": hold or ("waiting" if waits else "pending"),
            "attempts": 0, "next_at": now + delay,
            "lease_owner": None if waits or hold else self._owner,
            "lease_until": 0.0 if waits or hold else now + LEASE,
            "last_error": None, "result": None, "updated_at": now}

    def hold(self, rule: Rule, finding: Finding, now: float) -> str | None:
        """Return why a firing is only recorded, None when it is delivered."""
        held = restraint.hold(rule.settings, finding.at)
        if held is not None:
            return held
        limit = rule.settings.get("rate_limit")
        most, span = ((limit["firings"], limit["seconds"]) if limit
                      else (self.conf.max_firings_per_minute, 60.0))
        recent = self._recent.setdefault(rule.id, collections.deque())
        while recent and recent[0] <= now - span:
            recent.popleft()
        if len(recent) >= most:
            return "limited"
        recent.append(now)
        return None

    def forget(self, trigger_id: str) -> None:
        """Forget the recent firings of a trigger that changed or is gone."""
        self._recent.pop(trigger_id, None)
