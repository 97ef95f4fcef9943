#!/usr/bin/env bash
# Runs a UI test with an Android emulator or device behind telltale:
#
#   telltale record --policy telltale.yaml --listen 127.0.0.1:0 -- android.sh maestro test flows/
#
# The device reaches the proxy through adb, so the proxy need not be open to the
# network; several devices: ANDROID_SERIAL. However the test ends, the device gets
# its old settings back, for with a proxy that is gone it has no network at all.
# Needs: adb, and an app that trusts telltale's certificate (docs/ci.md).
set -euo pipefail

: "${TELLTALE_PROXY:?is not set: run this by telltale record -- android.sh CMD}"
[ $# -gt 0 ] || {
  echo "usage: android.sh CMD [ARG...]" >&2
  exit 2
}
port=${TELLTALE_PROXY##*:}

# The device is audited, not the test tool, which has to reach its own server on
# this machine: it goes without the proxy that telltale put in the environment.
unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy NODE_USE_ENV_PROXY

before=$(adb shell settings get global http_proxy | tr -d '\r')
case $before in null | '') before=:0 ;; esac # :0 is no proxy, and heeded at once

# shellcheck disable=SC2317 # a trap calls it
restore() {
  adb shell settings put global http_proxy "$before" || true
  adb reverse --remove "tcp:$port" || true
}
trap restore EXIT
adb reverse "tcp:$port" "tcp:$port"
adb shell settings put global http_proxy "127.0.0.1:$port"

# In the background, so that a signal to this script is heeded while the test runs.
"$@" <&0 &
test=$!
trap 'kill -TERM "$test" 2>/dev/null || true' INT TERM
code=0
wait "$test" || code=$?
while kill -0 "$test" 2>/dev/null; do # a signal ends wait, not yet the test
  wait "$test" || code=$?
done
exit "$code"
