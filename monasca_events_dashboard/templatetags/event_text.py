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

"""Text of events in templates."""

from django import template

from monasca_events_dashboard import presentation

register = template.Library()


@register.filter
def visible(value: object) -> str:
    """Show characters that have no form of their own, or turn others round."""
    return presentation.visible("" if value is None else str(value))


@register.filter
def named(ident: str, names: dict[str, str]) -> str:
    """Return the name of an id, or the id where there is none."""
    return (names or {}).get(ident, ident)


@register.filter
def duration(seconds: float) -> str:
    """Return how long something took, as people say it."""
    return presentation.duration(seconds)
