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

"""The root: versions, health and the way to the resources."""

import pecan

from monasca_events_api import description
from monasca_events_api.controllers import dead_letters
from monasca_events_api.controllers import events
from monasca_events_api.controllers import firings
from monasca_events_api.controllers import jobs
from monasca_events_api.controllers import notification_methods as methods
from monasca_events_api.controllers import resource
from monasca_events_api.controllers import services
from monasca_events_api.controllers import timeline
from monasca_events_api.controllers import transforms
from monasca_events_api.controllers import triggers
from monasca_events_api.controllers.resource import Parts
from monasca_events_api.middleware.faults import ON_PURPOSE
from monasca_events_common import catalog

__all__ = ("Parts", "RootController")


class VersionController:
    """``/v1.0``: what this version is and which limits it has."""

    index = resource.methods()

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.events = events.EventsController(parts)
        self.triggers = triggers.TriggersController(parts)
        self.transforms = transforms.TransformsController(parts)
        self.firings = firings.FiringsController(parts)
        self.timeline = timeline.TimelineController(parts)
        self.services = services.ServicesController(parts)
        self.jobs = jobs.JobsController(parts)
        # Hyphen and dot keep them from being attributes' usual names.
        setattr(self, "openapi.json", DescriptionController(parts))
        setattr(self, catalog.METHODS, methods.MethodsController(parts))
        setattr(self, "dead-letters",
                dead_letters.DeadLettersController(parts))

    @resource.reads(index)
    def show(self, req, resp):
        return resource.answer({"version": describe(self._parts, req)})


class DescriptionController:
    """``/v1.0/openapi.json``: what this version can do, for programs."""

    index = resource.methods()

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @resource.reads(index)
    def show(self, req, resp):
        return resource.answer(
            description.describe(resource.base_url(self._parts, req)),
            headers={"Cache-Control": "public, max-age=300"})


class VersionsController:
    """``/`` and ``/version``: which versions there are."""

    index = resource.methods()

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @resource.reads(index)
    def show(self, req, resp):
        return resource.answer(
            {"versions": [describe(self._parts, req)]})


class HealthController:
    """``/healthcheck``: whether each part can do its work."""

    index = resource.methods()

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @resource.reads(index)
    def show(self, req, resp):
        found = {name: getattr(self._parts, name).health()
                 for name in ("bus", "store", "identity", "database")}
        healthy = all(one.ok for one in found.values())
        req.environ[ON_PURPOSE] = True
        return resource.answer(
            {"healthy": healthy,
             "parts": {name: {"ok": one.ok, "detail": one.detail}
                       for name, one in found.items()}},
            status=200 if healthy else 503,
            headers={"Cache-Control": "no-store"})


class RootController(VersionsController):
    """``/``."""

    index = VersionsController.index

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.version = VersionsController(parts)
        self.healthcheck = HealthController(parts)
        self._v1 = VersionController(parts)

    @pecan.expose()
    def _lookup(self, name, *rest):
        # The dot keeps it from being an attribute.
        if name == "v1.0":
            return self._v1, rest
        pecan.abort(404)


def describe(parts: Parts, req) -> dict:
    """Return one version in the form of OpenStack's version discovery."""
    limits = parts.conf.limits
    return {
        "id": "v1.0", "status": "CURRENT", "min_version": "",
        "version": "", "updated": "2026-11-22T00:00:00Z",
        "links": [{"rel": "self",
                   "href": f"{resource.base_url(parts, req)}/v1.0/"}],
        "media-types": [{"base": "application/json",
                         "type": "application/json"}],
        "limits": {**{name: limits[name] for name in (
                       "max_body_bytes", "max_event_bytes", "max_events",
                       "max_depth", "max_keys", "max_page",
                       "default_page", "max_buckets")},
                   "accept_past_days": parts.conf.ingest.accept_past,
                   "max_cost": parts.conf.rules.max_cost},
        "quotas": {name: parts.conf.quotas[name] for name in (
            "triggers", "notification_methods", "transforms", "backtests")},
    }
