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


"""What the fields of requests and answers mean, one sentence a field.

The description puts them where a schema says nothing itself: the schemas that
validate stand in packages that have no need of words. A field that means
something else in one place is named with that place: a schema's name, or an
operation's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

#: field, or place.field → what it is.
WORDS = {
    "accepted": "How many events were taken.",
    "address": "Where it goes: the URL of a webhook, a mail address.",
    "after": "Hand this back to go on behind the letters that were looked "
             "at; null where there are no more.",
    "aggregate": "What is computed over the window's events.",
    "aggregates": "By a name each, what is computed over the window's "
                  "events.",
    "all": "Every letter that the other fields leave.",
    "at": "When it happened, by the events' own times.",
    "attempts": "How often it was tried.",
    "breaker": "Why and since when it stands still; null while it goes on.",
    "buckets": "The counts, by time; empty ones are left out.",
    "by_outcome": "How many firings had which outcome.",
    "code": "What is wrong, for programs.",
    "cost": "About how many tenths of a microsecond one event may take.",
    "compare": "With what the value is compared.",
    "count": "How many events.",
    "counters": "What this worker of the API has seen and remembers.",
    "counts": "How many of the events are in which state.",
    "created_at": "When it was made.",
    "data": "What the CloudEvent carries; it becomes the payload.",
    "dead_letters": "How many letters of this stage there are, by code.",
    "definition": "The whole definition that it stands for.",
    "deliveries": "What became of telling the notification methods.",
    "delivery_id": "The id of the delivery; the same at every attempt.",
    "delivery_ids": "Ids of deliveries.",
    "description": "For people.",
    "detail": "What is wrong, for people.",
    "dimensions": "Pairs of strings that the sender gives.",
    "domain_id": "The domain of the user.",
    "drop": "Drop the event, or these paths of it.",
    "dry_run": "Whether what it finds is only recorded and not delivered.",
    "enabled": "Whether it is in force.",
    "end": "When it ended; null where that is not known.",
    "error": "The kind of error.",
    "errors": "What is wrong: one error.",
    "event": "The event.",
    "event_count": "How many events caused it, where that is told.",
    "event_id": "The id of the event.",
    "event_ids": "The ids of the events, oldest first.",
    "event_type": "The type of the event: dotted, as its sender says it.",
    "event_types": "How many were received of each type.",
    "events": "The events.",
    "expect": "What must come then.",
    "expected": "What the clause wants.",
    "field": "The path of the value that is computed with.",
    "fired": "Whether the event caused a firing.",
    "firing_id": "The id of the firing.",
    "firings": "The firings.",
    "firings_total": "How many firings there were, shown or not.",
    "first_at": "When it died first.",
    "found": "What the event says; null where it says nothing.",
    "from": "The beginning of the span.",
    "gaps": "Stretches in which nothing happened.",
    "global_request_id": "The request that caused that request, perhaps in "
                         "another service.",
    "group": "The name of its consumer group on the bus; null where it "
             "reads none.",
    "group_by": "Paths; each combination of their values is judged by "
                "itself.",
    "groups": "How many events of which value.",
    "headers": "What the record was told with.",
    "healthy": "Whether all parts can do their work.",
    "held": "How many firings would only have been recorded, by why.",
    "histogram": "The firings by time: interval in seconds, and buckets.",
    "host": "The host on which it runs.",
    "href": "The address.",
    "id": "The id.",
    "ids": "Ids of letters.",
    "index": "Which event of the request, from 0.",
    "interval": "Seconds of a bucket; null where there is only one.",
    "job": "The receipt: where to ask what became of the events.",
    "key": "The values by which is grouped; null where the event has none.",
    "keep": "Keep these paths and nothing else.",
    "keep_seconds": "How long the key before stays valid, in seconds; a day "
                    "unless it is given.",
    "kind": "What kind of trigger it is.",
    "lag": "What is on the bus and was not committed by its group; null "
           "where that is not known.",
    "last_at": "When it died last.",
    "last_error": "Why the last attempt failed; null where none did.",
    "left": "Letters that were not tried, because where they go to went "
            "away.",
    "limit_firings": "How many firings are shown; 1000 at most.",
    "limited": "Whether it was held back by the rate limit.",
    "limits": "What a request may have at most.",
    "links": "Addresses: of the thing itself, and of the next page.",
    "logs": "Lines of logs that name the resource or the request, and those "
            "of its requests.",
    "marks": "What the service did to the event on its way.",
    "mask": "Make these values unreadable.",
    "matches": "Whether the event is one that is wanted.",
    "media-types": "What this version speaks.",
    "members": "The processes that consume the bus for it.",
    "message": "What is wrong, for people.",
    "message_id": "Another name of event_id.",
    "method_id": "The id of the notification method.",
    "metrics": "Values of the resource's metrics, where a service of "
               "metrics is configured.",
    "mismatch": "The first clause that does not hold; null where all do.",
    "missed": "Methods that are told when something did not come.",
    "mute": "Spans of time in which firings are recorded and not delivered.",
    "muted": "Whether it fell into a muted span.",
    "name": "The name.",
    "next_at": "When it is tried next.",
    "notification_methods": "The notification methods.",
    "notify": "For each outcome the ids of the notification methods that "
              "are told.",
    "ok": "Whether it can do its work.",
    "operations": "What is done, one after the other.",
    "ordered": "Whether the steps must come in their order.",
    "other_types": "How many were received of types that have no room "
                   "above.",
    "outcome": "What it came to.",
    "partitions": "Partitions of the bus's topic; in lag with the records of "
                  "each.",
    "parts": "What the API works with, each with its health.",
    "path": "The path of the value that was looked at.",
    "payload": "All that the sender says.",
    "position": "Where it was found.",
    "previous_until": "Until when the key before is valid; null where there "
                      "is none.",
    "priority": "How urgent: INFO, WARN, ERROR and so on.",
    "progress": "How far it has come: events looked at, the share of the "
                "time.",
    "project_id": "The project whose it is.",
    "publisher_id": "Who sent it.",
    "purged": "How many letters were forgotten.",
    "quiet": "Whether that all steps came in time is not told.",
    "quotas": "How many definitions a project may have; -1 is any number.",
    "rate_limit": "How many firings are delivered within so many seconds; "
                  "further ones are only recorded.",
    "raw": "The bytes as text; those that are no UTF-8 are escaped.",
    "reason": "Why, in words.",
    "received": "How many events came since the API began to watch.",
    "received_at": "When the service first saw it.",
    "records": "How many records.",
    "recovered": "Methods that are told when what was missed came after "
                 "all.",
    "rejected": "The events that were not taken, and why.",
    "rel": "What the link leads to: self or next.",
    "remembered": "How many events the API remembers.",
    "rename": "New paths of values, by their old ones.",
    "replayed": "How many letters were sent on their way again.",
    "request_id": "The request in which it happened.",
    "resource_id": "What it happened to.",
    "resource_type": "The kind of the resource.",
    "result": "What the receiver said; null before it did.",
    "revision": "The number of the last change; the ETag in quotes.",
    "secret": "The key that signs what is sent.",
    "seconds": "How many seconds it took; null where that is not known.",
    "services": "The services.",
    "set": "Values by the paths that are set.",
    "settings": "What the method's type further needs.",
    "severity": "How bad it is.",
    "since": "From this time on.",
    "size": "How many bytes.",
    "sliding": "Whether the window moves with each event rather than by its "
               "whole length.",
    "slot": "Which pattern of the trigger.",
    "slots": "For each pattern of the trigger, whether the event matches "
             "it.",
    "source": "By which road it came.",
    "sources": "How many are remembered of each source.",
    "spans": "What began and ended.",
    "specversion": "The version of CloudEvents.",
    "split": "The path of an array, of whose every item an event is made.",
    "stage": "Where it died: agent, api, persister, engine and so on.",
    "start": "When it began; null where that is not known.",
    "steps": "The patterns that must be met.",
    "strict": "Whether a step that comes before its turn is a miss at once.",
    "subject": "What it happened to; it becomes the resource id.",
    "subject_prefix": "What the subject of a mail begins with.",
    "subject_project_id": "The project of the events that caused it.",
    "summary": "All of it in a sentence.",
    "template": "The name of a template; what stands beside it takes the "
                "place of what that says.",
    "templates": "The templates.",
    "text": "The mismatch in a sentence.",
    "time": "When it happened.",
    "timestamp": "When it happened, by its sender.",
    "title": "What the status means.",
    "traits": "Flat values by which events are found and judged.",
    "transform": "A draft of a transform, which needs no name.",
    "transform_id": "The id of a transform that is there.",
    "transforms": "The transforms.",
    "trigger": "A draft of a trigger, which needs no name.",
    "trigger_id": "The id of the trigger.",
    "trigger_name": "Its name when it fired.",
    "triggers": "The triggers.",
    "tripped_at": "Since when it stands still.",
    "truncated": "Whether there is more than is shown.",
    "type": "The type.",
    "types": "The event types with their numbers.",
    "until": "Before this time.",
    "updated_at": "When it was changed last.",
    "unless": "What ends the waiting without a word.",
    "user_id": "Who did it.",
    "value": "What was measured; null where nothing is.",
    "values": "What was measured, by name.",
    "version": "The version.",
    "versions": "The versions.",
    "window": "The length of the window.",
    "within": "How long what is waited for may take.",
    "waits": "What it would wait for, in words.",
    "where": "The place of what is wrong, such as "
             "trigger.steps[1].pattern.",

    "Backtest.error": "Why it failed.",
    "Backtest.status": "How far it is.",
    "Backtest.trigger_id": "The trigger that was run; null for a draft.",
    "CloudEvent.id": "The sender's id of it; with source it makes the "
                     "event's identity.",
    "CloudEvent.source": "Who sent it.",
    "CloudEvent.type": "The event type.",
    "DeadLetter.id": "The number of the letter.",
    "DeadLetter.project_id": "The project whose it is; null where nobody "
                             "knows.",
    "DeadLetterChoice.code": "Those of this code.",
    "DeadLetterChoice.project_id": "Those of this project.",
    "DeadLetterChoice.stage": "Those of this stage.",
    "Delivery.action": "How it is told: the type of the method, or of an "
                       "operator's plug-in.",
    "Delivery.status": "waiting, pending, delivered, parked or cancelled; "
                       "or why there is none: dry_run, muted, limited.",
    "Error.status": "The status of the answer.",
    "Event.event_id": "The id of the event, made of the project and the "
                      "sender's id.",
    "PostedEvent.event_id": "An id of the sender's own; with it a repetition "
                            "is stored once.",
    "PostedEvent.marks": "Of delegates only.",
    "PostedEvent.project_id": "The tenant; another one than the token's for "
                              "delegates only.",
    "PostedEvent.received_at": "Of delegates only.",
    "PostedEvent.source": "Of delegates only.",
    "Receipt.code": "Why it is dead, for programs.",
    "Receipt.events": "Each accepted event with what became of it.",
    "Receipt.project_id": "The project that posted; of an event, the one "
                          "whose it is.",
    "Receipt.reason": "Why it is dead, in words.",
    "Receipt.status": "running while the fate of an event is open, else "
                      "finished; of an event accepted, stored, dead or "
                      "dropped.",
    "Service.id": "The id of the process in its group.",
    "Service.state": "How it stands.",
    "Span.name": "What went on: the event type without its end.",
    "Span.steps": "The operations that are steps of it.",
    "Span.state": "How far it is.",
    "Span.outcome": "How it ended; null where it has not.",
    "Timeline.end": "When it ended.",
    "Timeline.seconds": "How many seconds it took.",
    "Timeline.start": "When it began.",
    "Timeline.events": "What happened, oldest first, without payloads.",
    "Timeline.sources": "What became of asking each source.",
    "Timeline.firings": "What triggers found in it.",
    "Timeline.error": "Why the source could not be asked; null where it "
                      "could.",
    "TriggerDefinition.firings": "So many firings.",
    "TriggerDefinition.fired": "Methods that are told when it fires.",
    "TriggerDefinition.end": "What ends it.",
    "TriggerDefinition.pattern": "Which events.",
    "TriggerDefinition.seconds": "Within how long.",
    "TriggerDefinition.start": "What begins it.",
    "TriggerDefinition.until": "The end of the span.",
    "TransformDefinition.pattern": "Which events it changes.",
    "TransformDefinition.position": "Its place among the others, the lowest "
                                    "first; 100 unless it is given.",
    "Version.id": "The version.",
    "Version.min_version": "Empty: there are no microversions.",
    "Version.updated": "When this version was changed last.",
    "Version.version": "Empty: there are no microversions.",
    "Version.status": "CURRENT: the one that is developed.",
    "get_dead_letters.dead_letters": "The dead letters.",
    "get_events_statistics.start": "When the bucket begins; null where there "
                                   "is only one.",
    "get_events_traits.traits": "The traits.",
    "get_events_traits.type": "The type of its values.",
    "get_events_traits.name": "The name of the trait.",
    "get_events_types.truncated": "Whether there are more types.",
    "Service.errors": "What could not be asked, and why.",
    "get_notification_methods_method_id_deliveries.deliveries":
        "The deliveries.",
    "get_services.errors": "What could not be asked, and why.",
    "get_transforms_transform_id_versions.at": "When it was said; null "
                                               "where nobody knows.",
    "get_transforms_transform_id_versions.user_id": "Who said it.",
    "get_transforms_transform_id_versions.definition": "What it said; null "
        "where this release cannot read it.",
    "get_triggers_trigger_id_explain.groups": "For each group that the event "
        "belongs to what the engine waits for.",
    "get_triggers_trigger_id_explain.firings": "The firings that it caused.",
    "path.job_id": "The id of the back-test.",
    "path.letter": "The number of the letter.",
    "path.receipt_id": "The id of the receipt.",
    "path.service": "The name of the service.",
    "path.template": "The name of the template.",
    "post_dead_letters_replay.failed": "Letters that failed again, and why.",
    "post_transforms_test.events": "What would be stored.",
    "post_transforms_test.failed": "Which transform failed, and why; null "
                                   "where none did.",
    "post_transforms_test.outcome": "unchanged, changed, split, dropped or "
                                    "failed.",
    "post_transforms_test.transforms": "Each transform that was tried, with "
                                       "its steps.",
    "post_triggers_backtest.since": "From this time on, by the events' own "
                                    "times; seven days ago unless given.",
    "post_triggers_backtest.until": "Before this time; now unless given.",
    "post_triggers_test.firings": "What it would fire at once.",
}

#: Places that have their words from another.
_LIKE = {"TriggerDraft": "TriggerDefinition", "Trigger": "TriggerDefinition",
         "WholeDeadLetter": "DeadLetter", "Step": "Span",
         "Transform": "TransformDefinition",
         "post_transforms_test": "TransformDefinition",
         "get_services_service": "Service"}

_NESTED = ("items", "additionalProperties")
_CHOICES = ("anyOf", "oneOf")


def explain(schema: Any, place: str) -> Any:
    """Return a copy of a schema in which every property has a description.

    :param place: the name of the schema or of the operation
    """
    if not isinstance(schema, Mapping):
        return schema
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {
            name: _worded(explain(one, place), name, place)
            for name, one in made["properties"].items()}
    for key in _NESTED:
        if key in made:
            made[key] = explain(made[key], place)
    for key in _CHOICES:
        if key in made:
            made[key] = [explain(one, place) for one in made[key]]
    return made


def _worded(schema: Mapping, name: str, place: str) -> dict[str, Any]:
    said = (WORDS.get(f"{place}.{name}")
            or WORDS.get(f"{_LIKE.get(place)}.{name}") or WORDS.get(name))
    own = schema.get("description")
    if not said:
        return dict(schema)
    if own:
        # What values may be stands behind what they mean.
        said = f"{said} {own[0].upper()}{own[1:].removesuffix('.')}."
    return {**schema, "description": said}


def silent(schema: Any) -> Iterator[str]:
    """Yield the names of properties that have no description."""
    if not isinstance(schema, Mapping):
        return
    for name, one in schema.get("properties", {}).items():
        if "description" not in one:
            yield name
        yield from silent(one)
    for key in _NESTED:
        yield from silent(schema.get(key))
    for key in _CHOICES:
        for one in schema.get(key, ()):
            yield from silent(one)
