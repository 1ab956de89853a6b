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

"""Policies: who may do what, in code, to be overridden by a policy file.

Each resource has a module of its own here. The defaults follow OpenStack's
consistent personas (reader, member, manager, admin) and the role ``service``.
"""

from collections.abc import Mapping
import itertools
import time

from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_policy import policy

from monasca_events_api.policies import dead_letters
from monasca_events_api.policies import events
from monasca_events_api.policies import firings
from monasca_events_api.policies import jobs
from monasca_events_api.policies import notification_methods
from monasca_events_api.policies import services
from monasca_events_api.policies import timeline
from monasca_events_api.policies import transforms
from monasca_events_api.policies import triggers
from monasca_events_common.errors import Forbidden
from monasca_events_common.errors import Misconfigured


def list_rules() -> list[policy.RuleDefault]:
    """Return every rule, for the enforcer and for oslopolicy-*-generator."""
    return list(itertools.chain(events.RULES, triggers.RULES,
                                notification_methods.RULES, firings.RULES,
                                transforms.RULES, dead_letters.RULES,
                                jobs.RULES, timeline.RULES, services.RULES))


class _Enforcer(policy.Enforcer):
    """Looks whether the policy file changed once a second at most.

    oslo.policy searches the file system at each decision otherwise, which
    costs as much as a small request.
    """

    _looked = float("-inf")

    def load_rules(self, force_reload: bool = False) -> None:
        now = time.monotonic()
        if force_reload or now - self._looked >= 1.0:
            super().load_rules(force_reload)
            self._looked = now


class Policy:
    """Decides by the rules in code and the operator's policy file."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises Misconfigured: the policy file cannot be read"""
        self._enforcer = _Enforcer(conf)
        self._enforcer.register_defaults(list_rules())
        try:
            self._enforcer.load_rules()
        except (cfg.Error, OSError, ValueError) as error:
            raise Misconfigured(f"policy file: {error}") from error

    def allows(self, context: oslo_context.RequestContext, rule: str,
               target: Mapping | None = None) -> bool:
        """Return whether the caller may.

        :param target: what the rule is about; the caller's project by default
        """
        target = target or {"project_id": context.project_id}
        return bool(self._enforcer.enforce(rule, dict(target), context))

    def authorize(self, context: oslo_context.RequestContext, rule: str,
                  target: Mapping | None = None) -> None:
        """Return if the caller may, raise Forbidden if not."""
        if not self.allows(context, rule, target):
            raise Forbidden(f"the policy {rule} does not allow this with the "
                            "roles and the scope of the token")
