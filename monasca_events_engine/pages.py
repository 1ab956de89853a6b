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


"""Pages: a long search, one page after the other.

For what reads a history from end to end: back-tests and learning.
"""

from collections.abc import Callable, Iterator
import dataclasses

from monasca_events_common.errors import Rejected
from monasca_events_common.query import Query
from monasca_events_common.store import Page

#: Events below which a page is not made smaller.
LEAST = 50


def pages(search: Callable[[Query], Page], wanted: Query) -> Iterator[Page]:
    """Yield the pages of a search, to the last one.

    Where the store finds a page too costly, smaller ones are asked for.

    :param search: the store's, of some project
    :raises Rejected: the store cannot carry it out
    """
    while True:
        try:
            page = search(wanted)
        except Rejected as error:
            if error.code != "query_too_costly" or wanted.limit <= LEAST:
                raise
            wanted = dataclasses.replace(
                wanted, limit=max(LEAST, wanted.limit // 2))
            continue
        yield page
        if page.marker is None:
            return
        wanted = dataclasses.replace(wanted, marker=page.marker)
