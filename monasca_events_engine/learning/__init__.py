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

"""Learning from stored history what is usual in a cloud.

``history`` reads the store, ``model`` takes note of each event: ``spans`` of
what begins and ends, ``chains`` of the steps that requests take, transitions
of instances. ``proposals`` makes definitions of triggers of it, ``report``
shows them, ``command`` is what people type. It reads and proposes; nothing
here changes a store or a trigger.
"""
