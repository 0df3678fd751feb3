#!/usr/bin/env bash
# Builds the binary and gathers what it needs at run time: ONNX Runtime and the models. Used by the Dockerfile and by CI.
#   build.sh DESTINATION
set -euo pipefail
destination=${1:?usage: build.sh DESTINATION}
cd "$(dirname "$0")/../.."
cache=${SIGHTLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sightline}
cargo xtask setup
# With the packages, and so the features, that the tests are built with, so that CI does not build the dependencies again.
CARGO_TARGET_DIR="$cache/target" cargo build --locked --release --package sightline --package sightline-lab --package sightline-testkit --bins
install -D -m 755 "$cache/target/release/sightline" "$destination/usr/local/bin/sightline"
mkdir -p "$destination/usr/share/sightline/ort" "$destination/usr/share/sightline/models"
cp "$cache"/ort/libonnxruntime.so.* "$destination/usr/share/sightline/ort/"
cp "$cache"/models/*.onnx "$destination/usr/share/sightline/models/"
