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
make_venv .venv \
    standalone,kafka,confluent,elasticsearch,mysql,postgresql,cli \
    test-requirements.txt || exit 1
missing=
command -v java >/dev/null || [ -x "${JAVA_HOME:-none}/bin/java" ] ||
    missing+=" java"
command -v mvn >/dev/null || missing+=" mvn"
[ -z "$missing" ] ||
    echo "missing:$missing; Kafka and Elasticsearch need Java 17 and Maven" \
         "(Debian: apt-get install openjdk-17-jre-headless maven)" >&2
if [ "$(id -u)" != 0 ]; then
    # Their programs are where the PATH of a user may not reach.
    PATH="$PATH:/usr/sbin:/sbin"
    missing=
    command -v rabbitmqctl >/dev/null || missing+=" rabbitmq-server"
    command -v mariadbd >/dev/null || missing+=" mariadb-server"
    [ -z "$missing" ] ||
        echo "missing:$missing; only root can install these (Debian:" \
             "apt-get install$missing)" >&2
fi
export PATH="$PWD/.venv/bin:$PATH"
exec .venv/bin/python tools/run_tests.py "$@"
