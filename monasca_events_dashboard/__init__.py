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

"""Panels for Horizon: what happened to a project and what to do about it.

Server-side Django, as Horizon's own panels. Everything comes from the API by
way of the client, with the token of who looks; nothing is kept here. Modules
without Django in them (``search``, ``histogram``, …) do the thinking, panels
show what they found.
"""
