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

"""Forms and fields that the panels have in common."""


from django import forms

from monasca_events_client import errors
from monasca_events_dashboard import faults


def text(label: str, *, required: bool = False, max_length: int = 1024,
         help_text: str = "", **attrs: str) -> forms.CharField:
    """Return a line of text; ``attrs`` are those of the input."""
    return forms.CharField(
        label=label, required=required, max_length=max_length,
        help_text=help_text, widget=forms.TextInput(attrs=attrs))


class Form(forms.Form):
    """A form of something that the API keeps."""

    #: For templates: nothing is marked that everybody knows.
    required_css_class = "required"

    def field_of(self, where: str) -> str | None:
        """Return the field of a path in what the API was given."""
        return where.rpartition(".")[2]

    def blame(self, error: errors.ClientError) -> None:
        """Say what the API said, beside the field that it means."""
        faults.raise_if_expired(error)
        field = self.field_of(error.where) if error.where else None
        self.add_error(field if field in self.fields else None,
                       faults.explain(error))
