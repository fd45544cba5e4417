#!/bin/sh
# Real counterparts for the tests of sinks and fetchers: an Alertmanager, a syslog collector, a calendar server and a
# directory server. Without them those tests are skipped. On Debian they start as services of the machine, so this is asked for by name (make counterparts), never on the way.
set -eu

command -v apt-get >/dev/null || { echo "install prometheus-alertmanager, rsyslog, radicale and slapd with your package manager" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || { echo "run as root: apt-get install prometheus-alertmanager rsyslog radicale slapd openssl" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
apt-get install --quiet --quiet --yes --no-install-recommends prometheus-alertmanager rsyslog radicale slapd openssl >/dev/null
