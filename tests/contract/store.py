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

"""What every store does, on whatever driver: mixed into a driver's test case
(B26, B43).

A test case sets ``self.store`` in setUp and may override ``refresh``, which
returns once what was written can be searched; it stands before StoreContract
among the bases of a test class.
"""

from tests.contract.store_case import at
from tests.contract.store_case import document
from tests.contract.store_case import make
from tests.contract.store_case import names
from tests.contract.store_case import OURS
from tests.contract.store_case import THEIRS
from tests.contract.store_counting import Counting
from tests.contract.store_listing import Listing
from tests.contract.store_terms import Terms
from tests.contract.store_writing import Writing

__all__ = ("OURS", "THEIRS", "StoreContract", "at", "document", "make",
           "names")


class StoreContract(Writing, Listing, Terms, Counting):
    """The behaviour of a store."""
