#!/usr/bin/env bash
# Installs what the binary needs at run time on Debian. Used by the Dockerfile and by CI.
set -euo pipefail
packages=(ca-certificates glib-networking libopenblas0 libgstreamer1.0-0 libgstreamer-plugins-base1.0-0
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
    apt-get update
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
    rm -rf /var/lib/apt/lists/*
fi
