#!/bin/sh
# The tests compare our decoders with tshark. Installs it where that can be done without a question; else says how.
set -eu

say() {
    echo "tshark is missing, and the tests need it as second opinion. $1" >&2
    exit 1
}

command -v apt-get >/dev/null || say "Install Wireshark's command line tool with your system's package manager."
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    say "Run: sudo apt-get install tshark"
fi
export DEBIAN_FRONTEND=noninteractive
# tshark asks whether users may capture; we only read files.
$as_root apt-get install --quiet --quiet --yes --no-install-recommends tshark >/dev/null 2>&1 ||
    { $as_root apt-get update --quiet --quiet && $as_root apt-get install --quiet --quiet --yes --no-install-recommends tshark >/dev/null; } ||
    say "apt-get install tshark failed: see its message above."
