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

"""Lists of the API as iterators that fetch the next page when it is needed."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib import parse

from monasca_events_client.transport import Query
from monasca_events_client.transport import Transport


class Pages:
    """A list that may be longer than one answer.

    Iterating gives its items; each iteration begins at the first page again.

    :ivar more: whether there is more behind the last item that was given,
        None before the last page that was needed is known
    :ivar marker: what another list begins behind, to go on after the last
        page that was given; None where that was the last one
    """

    def __init__(self, transport: Transport, path: str, key: str,
                 query: Query = (), limit: int | None = None,
                 page_size: int | None = None) -> None:
        """
        :param path: of the list
        :param key: of the items in an answer
        :param limit: items at most, None for all
        :param page_size: items an answer; the API's own number by default
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}; expected at least 1")
        self._transport = transport
        self._path = path
        self._key = key
        self._query = list(query)
        self._limit = limit
        self._page_size = page_size
        self.more: bool | None = None
        self.marker: str | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[Sequence[dict[str, Any]]]:
        """Yield the items page by page, as they come."""
        self.more = None
        left = self._limit
        query: Query | None = [*self._query, *self._size()]
        while query is not None:
            answer = self._transport.json("GET", self._path, query=query)
            found = answer[self._key]
            query = following(answer.get("links", ()))
            self.marker = dict(query or ()).get("marker")
            if left is not None:
                self.more = query is not None or len(found) > left
                found = found[:left]
                left -= len(found)
                if left == 0:
                    query = None
            else:
                self.more = query is not None
            yield found

    def _size(self) -> Query:
        size = self._page_size
        if size is None:
            if self._limit is None:
                return ()
            size = self._transport.limits()["max_page"]
        if self._limit is not None:
            size = min(size, self._limit)
        return [("limit", str(size))]


def following(links: Sequence[dict[str, str]]) -> Query | None:
    """Return the query of the next page, None after the last one.

    Of the link only that is used: a token goes to the endpoint that the
    catalog names and nowhere else, whatever an answer says.
    """
    for link in links:
        if link.get("rel") == "next":
            return parse.parse_qsl(parse.urlsplit(link["href"]).query,
                                   keep_blank_values=True)
    return None
