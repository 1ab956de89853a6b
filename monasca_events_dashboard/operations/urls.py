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

"""Addresses below ``/admin/events/``."""

from django.urls import re_path

from monasca_events_dashboard.operations import dead_letters
from monasca_events_dashboard.operations import views

_LETTER = r"^dead-letters/(?P<letter_id>[0-9]{1,18})/"

urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(r"^types/$", views.TypesView.as_view(), name="types"),
    re_path(r"^timeline/$", views.TimelineView.as_view(), name="timeline"),
    re_path(r"^services/$", views.ServicesView.as_view(), name="services"),
    re_path(r"^services/(?P<name>[^/]+)/resume/$",
            views.ResumeView.as_view(), name="resume"),
    re_path(r"^dead-letters/$", dead_letters.IndexView.as_view(),
            name="dead_letters"),
    re_path(r"^dead-letters/replay/$", dead_letters.ReplayAllView.as_view(),
            name="replay_all"),
    re_path(rf"{_LETTER}$", dead_letters.DetailView.as_view(),
            name="dead_letter"),
    re_path(rf"{_LETTER}replay/$", dead_letters.ReplayView.as_view(),
            name="replay"),
    re_path(rf"{_LETTER}delete/$", dead_letters.DeleteView.as_view(),
            name="delete"),
    re_path(r"^(?P<event_id>[^/]+)/$", views.DetailView.as_view(),
            name="detail"),
]
