#!/usr/bin/env bash
#
# Runs the tests and makes what they need first.
#
#   tools/test.sh                    all of them
#   tools/test.sh unit functional    some: style unit functional integration
#                                    bench docs
#
# The last line says how many passed and failed. Where a real server cannot be
# had its tests are skipped and say so by name; with CI=true that is a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/venv.sh
case "${1:-}" in -h|--help) sed -n '3,10s/^# \{0,1\}//p' "$0"; exit 0;; esac
make_venv .venv standalone,kafka,confluent,elasticsearch,mysql,client \
    test-requirements.txt || exit 1
for tool in java mvn; do
    command -v "$tool" >/dev/null ||
        echo "missing: $tool; Kafka and Elasticsearch need Java 17 and Maven" \
             "(Debian: apt-get install openjdk-17-jre-headless maven)" >&2
done
[ "$(id -u)" = 0 ] || command -v rabbitmqctl mariadbd >/dev/null ||
    echo "missing: RabbitMQ or MariaDB; they are installed by root only" \
         "(Debian: apt-get install rabbitmq-server mariadb-server)" >&2
export PATH="$PWD/.venv/bin:$PATH"
exec .venv/bin/python tools/run_tests.py "$@"
