#!/bin/sh
# Real counterparts for the tests: Prometheus and Alertmanager, a syslog collector, a calendar server, a directory
# server, other readers of packets, and jq for the blocks of the pages. Without them those tests are skipped. Nothing of it is left running: Debian would
# start some as services of the machine, which is forbidden to it meanwhile (policy-rc.d, as invoke-rc.d(8) reads it).
set -eu

packages="prometheus prometheus-alertmanager rsyslog radicale slapd ldap-utils openssl systemd tcpdump tcpreplay sngrep jq"
command -v apt-get >/dev/null || { echo "install with your package manager: $packages" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || { echo "run as root: apt-get install $packages" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
fi
apt-get update --quiet --quiet
# shellcheck disable=SC2086  # one word a package
apt-get install --quiet --quiet --yes --no-install-recommends $packages >/dev/null
