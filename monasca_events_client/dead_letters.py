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

"""``/v1.0/dead-letters``: what could not go on, for operators."""

from collections.abc import Iterator, Sequence
from typing import Any

from monasca_events_client import filters
from monasca_events_client.pages import Pages
from monasca_events_client.transport import Transport
from monasca_events_client.transport import quote

_PATH = "/v1.0/dead-letters"

#: Letters that the API acts on at once.
_AT_ONCE = 100


class DeadLetters:
    """Dead letters of every stage and project."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, stage: str | None = None, code: str | None = None,
             project_id: str | None = None, limit: int | None = None,
             page_size: int | None = None, marker: str | None = None
             ) -> Pages:
        """Return dead letters without their bytes, oldest first.

        :param stage: which step gave it up, as ``persister``
        :param code: why
        :param marker: of a list before, to go on behind it
        """
        return Pages(self._transport, _PATH, "dead_letters",
                     filters.of_listing(stage=stage, code=code,
                                        project_id=project_id,
                                        marker=marker),
                     limit, page_size)

    def get(self, letter_id: int) -> dict[str, Any]:
        """Return one with its bytes as text, in ``raw``."""
        return self._transport.json("GET", f"{_PATH}/{quote(str(letter_id))}")

    def replay(self, letter_ids: Sequence[int] | None = None,
               **narrowing: str | None) -> Iterator[dict[str, Any]]:
        """Send letters on their way again; yield what became of some each.

        ``{"replayed", "failed": [{"id", "code", "message"}], "left"}``. Where
        ``left`` names some, what they go to went away: nothing after them
        was tried.

        :param letter_ids: these, by default all
        :param narrowing: ``stage``, ``code``, ``project_id`` of all
        :raises ServiceUnavailable: what they go to is away
        """
        return self._many("replay", letter_ids, narrowing)

    def purge(self, letter_ids: Sequence[int] | None = None,
              **narrowing: str | None) -> Iterator[dict[str, Any]]:
        """Forget letters; yield ``{"purged"}`` of some each.

        Parameters are those of :meth:`replay`.
        """
        return self._many("purge", letter_ids, narrowing)

    def _many(self, action: str, letter_ids: Sequence[int] | None,
              narrowing: dict[str, str | None]) -> Iterator[dict[str, Any]]:
        if letter_ids is not None:
            for at in range(0, len(letter_ids), _AT_ONCE):
                answer = self._act(action, {
                    "ids": list(letter_ids[at:at + _AT_ONCE])})
                yield answer
                if answer.get("left"):
                    return
            return
        wanted: dict[str, Any] = {"all": True, **{
            name: value for name, value in narrowing.items()
            if value is not None}}
        while True:
            answer = self._act(action, wanted)
            yield answer
            if answer["after"] is None or answer.get("left"):
                return
            wanted["after"] = answer["after"]

    def _act(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        # One that was replayed or forgotten is no more: twice is once.
        return self._transport.json("POST", f"{_PATH}/{action}", json=body,
                                    repeatable=True)
