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

"""The options of Kafka, the same for both of its drivers.

Whoever changes ``[bus] driver`` from ``kafka`` to ``confluent`` or back
changes nothing else.
"""

from oslo_config import cfg

GROUP = "kafka_events"

OPTS = [
    cfg.StrOpt("uri", default="127.0.0.1:9092",
               help="Addresses of some brokers, host:port, separated by "
                    "commas. The others are learnt from them."),
    cfg.StrOpt("security_protocol", default="PLAINTEXT",
               choices=["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
               help="How brokers are spoken to."),
    cfg.StrOpt("sasl_mechanism",
               choices=["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
               help="How we authenticate where the security protocol is a "
                    "SASL one."),
    cfg.StrOpt("sasl_username", help="User name for SASL."),
    cfg.StrOpt("sasl_password", secret=True, help="Password for SASL."),
    cfg.StrOpt("ssl_cafile",
               help="File of certificates that may sign a broker's "
                    "certificate; the system's where it is not set."),
    cfg.StrOpt("ssl_certfile", help="File of our certificate."),
    cfg.StrOpt("ssl_keyfile", help="File of our private key."),
    cfg.BoolOpt("ssl_check_hostname", default=True,
                help="Whether a broker's certificate must be for its host "
                     "name."),
    cfg.IntOpt("partitions", default=6, min=1,
               help="Partitions of a topic that is made from now on: as "
                    "many members of one consumer group can work at once. "
                    "A topic that exists keeps its number."),
    cfg.IntOpt("replication", default=1, min=1,
               help="Copies of a topic that is made from now on. In "
                    "production 3, with min.insync.replicas 2."),
    cfg.StrOpt("compression", default="none",
               choices=["none", "gzip", "lz4", "zstd"],
               help="How batches are compressed on the wire and on the "
                    "brokers' disks. lz4 and zstd need their packages "
                    "beside kafka-python."),
    cfg.IntOpt("max_record_bytes", default=1_000_000, min=1024,
               help="Bytes of the largest record, its headers included. A "
                    "larger one is rejected. Not more than the brokers' "
                    "message.max.bytes."),
    cfg.FloatOpt("publish_timeout", default=4.0, min=1.0,
                 help="Seconds after which publishing gives up and the "
                      "sender is told to try again. The API promises that "
                      "answer within five seconds."),
    cfg.FloatOpt("session_timeout", default=10.0, min=1.0,
                 help="Seconds without a sign of life after which a dead "
                      "consumer's partitions are given to the other members "
                      "of its group."),
    cfg.FloatOpt("max_poll_interval", default=300.0, min=10.0,
                 help="Seconds between two polls after which a consumer "
                      "counts as hanging and its partitions are given to "
                      "others. More than the longest time that a batch "
                      "takes."),
    cfg.IntOpt("fetch_bytes", default=16 << 20, min=1 << 20,
               help="Bytes that one answer of a broker may have."),
    cfg.IntOpt("partition_fetch_bytes", default=2 << 20, min=1 << 20,
               help="Bytes of one partition within such an answer."),
    cfg.FloatOpt("watchdog_seconds", default=30.0, min=1.0, mutable=True,
                 help="Seconds for which a consumer may get no record "
                      "although there are some. Then it is made anew, which "
                      "is logged."),
]


#: Seconds after which partitions added to a topic are noticed.
METADATA_SECONDS = 60

#: Milliseconds for which kafka-python gathers records into one request: about
#: what it takes to hand over a batch.
LINGER_MS = 5

#: Bytes of a request that are gathered at most for one partition.
BATCH_BYTES = 256 << 10
