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

"""Addresses below ``/project/event_triggers/``."""

from django.urls import re_path

from monasca_events_dashboard.triggers import drafts
from monasca_events_dashboard.triggers import firings
from monasca_events_dashboard.triggers import views

_ID = "[0-9a-f-]{36}"
_ONE = rf"^(?P<trigger_id>{_ID})/"
# Those of an operator's plug-in have its name, those of tests another.
_FIRING = rf"^firings/(?P<trigger_id>[^/]+)/(?P<firing_id>{_ID})/"

urlpatterns = [
    re_path(r"^$", views.IndexView.as_view(), name="index"),
    re_path(r"^choose/$", views.ChooseView.as_view(), name="choose"),
    re_path(r"^create/$", drafts.CreateView.as_view(), name="create"),
    re_path(r"^fields/$", views.FieldsView.as_view(), name="fields"),
    re_path(r"^firings/$", firings.IndexView.as_view(), name="firings"),
    re_path(rf"{_FIRING}$", firings.DetailView.as_view(), name="firing"),
    re_path(rf"{_FIRING}redeliver/$", firings.RedeliverView.as_view(),
            name="redeliver"),
    re_path(rf"{_FIRING}cancel/$", firings.CancelView.as_view(),
            name="cancel"),
    re_path(rf"^backtests/(?P<backtest_id>{_ID})/$",
            views.BacktestView.as_view(), name="backtest"),
    re_path(rf"{_ONE}$", views.DetailView.as_view(), name="detail"),
    re_path(rf"{_ONE}update/$", drafts.UpdateView.as_view(), name="update"),
    re_path(rf"{_ONE}switch/$", views.SwitchView.as_view(), name="switch"),
    re_path(rf"{_ONE}explain/$", views.ExplainView.as_view(),
            name="explain"),
    re_path(rf"{_ONE}delete/$", views.DeleteView.as_view(), name="delete"),
]
