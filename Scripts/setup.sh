#!/bin/sh
# Installs what is missing of the system libraries that Sfumato links. Does nothing where all are there.
set -eu

packages="libopenblas-dev liblapacke-dev libfftw3-dev libpng-dev libjpeg-dev libdnnl-dev zlib1g-dev"

if ! command -v swift >/dev/null 2>&1; then
    echo "setup: Swift 6.2 or newer is needed and not on the PATH; see https://www.swift.org/install/linux" >&2
    exit 1
fi
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is no Debian; install the equivalents of: $packages" >&2
    exit 0
fi

missing=""
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    root=""
elif command -v sudo >/dev/null 2>&1; then
    root="sudo"
else
    echo "setup: these packages are missing:$missing" >&2
    echo "setup: there is no sudo here; as root, run: apt-get install$missing" >&2
    exit 1
fi

echo "setup: installing$missing" >&2
if ! { $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } >&2; then
    echo "setup: could not install:$missing" >&2
    echo "setup: with a connection to a Debian mirror and as root, run: apt-get install$missing" >&2
    exit 1
fi
