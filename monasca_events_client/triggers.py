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

"""``/v1.0/triggers``: what tenants want to be told of, and trying it."""

from collections.abc import Callable, Mapping
import time
from typing import Any

from monasca_events_client import errors
from monasca_events_client import filters
from monasca_events_client.definitions import Definitions
from monasca_events_client.firings import of_trigger
from monasca_events_client.pages import Pages
from monasca_events_client.transport import quote

#: States of a back-test that has not ended.
UNFINISHED = ("queued", "running")

#: Seconds that the request itself waits, and between two looks later.
_WAIT, _PAUSE = 1.0, 0.5


class Triggers(Definitions):
    """Triggers: rules and whom they tell. Rules are plain dicts."""

    path = "/v1.0/triggers"
    key = "triggers"
    noun = "trigger"

    def templates(self) -> Pages:
        """Return the triggers that need no writing."""
        return Pages(self._transport, f"{self.path}/templates", "templates")

    def template(self, name: str) -> dict[str, Any]:
        """Return one: ``name``, ``description``, ``definition``."""
        return self._transport.json(
            "GET", f"{self.path}/templates/{quote(name)}")

    def test(self, *, trigger: Mapping[str, Any] | None = None,
             trigger_id: str | None = None,
             event: Mapping[str, Any] | None = None,
             event_id: str | None = None) -> dict[str, Any]:
        """Return how a trigger takes one event; nothing is stored or sent.

        :param trigger: a draft, in place of ``trigger_id``
        :param event: any event, in place of ``event_id``, a stored one
        """
        return self._transport.json(
            "POST", f"{self.path}/test", repeatable=True, json=_given(
                trigger=trigger, trigger_id=trigger_id, event=event,
                event_id=event_id))

    def explain(self, trigger_id: str, event_id: str, *,
                project_id: str | None = None, all_projects: bool = False
                ) -> dict[str, Any]:
        """Return why a trigger did or did not fire for a stored event."""
        return self._transport.json(
            "GET", self._address(trigger_id, "explain"),
            query=filters.of_listing(
                event_id=event_id, project_id=project_id,
                all_projects=all_projects))

    def firings(self, trigger_id: str, **given: Any) -> Pages:
        """Return what a trigger did, newest first.

        :param given: ``outcome``, ``since``, ``until``, ``limit`` and others
            of :meth:`.Firings.list`
        """
        return of_trigger(self._transport, trigger_id, **given)

    # -- back-tests

    def backtest(self, *, trigger: Mapping[str, Any] | None = None,
                 trigger_id: str | None = None,
                 since: filters.Moment | None = None,
                 until: filters.Moment | None = None,
                 limit_firings: int | None = None,
                 progress: Callable[[Mapping[str, Any]], None] | None = None,
                 seconds: float | None = None,
                 sleep: Callable[[float], None] = time.sleep
                 ) -> dict[str, Any]:
        """Run a trigger over stored events; return what it would have done.

        Returns when it has ended; look at ``status``: ``finished``,
        ``failed`` or ``cancelled``. When this is interrupted the back-test
        is cancelled.

        :param since: the last seven days by default
        :param limit_firings: firings that are shown; all are counted
        :param progress: given the unfinished back-test from time to time
        :param seconds: give up after so long
        :raises ServiceUnavailable: that long it took; it is cancelled
        """
        found = self.begin_backtest(
            trigger=trigger, trigger_id=trigger_id, since=since, until=until,
            limit_firings=limit_firings)
        left = seconds
        try:
            while found["status"] in UNFINISHED:
                if progress is not None:
                    progress(found)
                if left is not None and left <= 0:
                    raise errors.ServiceUnavailable(
                        f"the back-test is {found['status']} after "
                        f"{seconds:g} s", status=503,
                        code="backtest_unfinished")
                sleep(_PAUSE)
                left = None if left is None else left - _PAUSE
                found = self.get_backtest(found["id"])
        except BaseException:
            self.cancel_backtest(found["id"])
            raise
        return found

    def begin_backtest(self, *, wait: float = _WAIT, **given: Any
                       ) -> dict[str, Any]:
        """Return a back-test that may go on running.

        :param wait: seconds that the answer may take, at most 10
        :param given: as for :meth:`backtest`
        """
        for name in ("since", "until"):
            if given.get(name) is not None:
                given[name] = filters.format_moment(given[name])
        return self._transport.json(
            "POST", f"{self.path}/backtest", query=[("wait", f"{wait:g}")],
            json=_given(**given))

    def get_backtest(self, backtest_id: str) -> dict[str, Any]:
        """Return how far a back-test has come, or what it found."""
        return self._transport.json(
            "GET", f"{self.path}/backtest/{quote(backtest_id)}")

    def cancel_backtest(self, backtest_id: str) -> None:
        """Cancel a back-test, or forget one that has ended."""
        self._transport.request(
            "DELETE", f"{self.path}/backtest/{quote(backtest_id)}")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items()
            if value is not None}
