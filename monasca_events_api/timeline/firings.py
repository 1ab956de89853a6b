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


"""What triggers found about the subject of a timeline."""

from monasca_events_api.timeline import Findings
from monasca_events_api.timeline import Source
from monasca_events_api.timeline import Subject
from monasca_events_common.event import parse_time


class Firings(Source):
    """Firings whose key or whose event names the resource or the request."""

    KEY = "firings"

    def find(self, subject: Subject) -> Findings:
        found, truncated = self.reach.history.about(
            subject.project_id, subject.ident, since=_seconds(subject.since),
            until=_seconds(subject.until), limit=subject.limit)
        return Findings(found, truncated)


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_time(text).timestamp()
