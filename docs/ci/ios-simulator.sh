#!/usr/bin/env bash
# Runs a UI test with the booted iOS simulator behind telltale:
#
#   telltale record --policy telltale.yaml --listen 127.0.0.1:0 -- \
#     ios-simulator.sh xcodebuild test-without-building -scheme App -destination "$DESTINATION"
#
# A simulator has the proxy of its Mac, so this sets that for the time of the test
# and takes it off again however the test ends. What else the Mac does meanwhile is
# in the capture, too: name your app under app.user-agent in the policy, and build
# before, not while, telltale records.
#
#   TELLTALE_SIMULATOR          UDID of the simulator   (booted)
#   TELLTALE_NETWORK_SERVICE    as networksetup has it  (the one of the default route)
#
# Needs: Xcode, and the right to change network settings (CI runners have it).
set -euo pipefail

: "${TELLTALE_PROXY:?is not set: run this by telltale record -- ios-simulator.sh CMD}"
[ $# -gt 0 ] || {
  echo "usage: ios-simulator.sh CMD [ARG...]" >&2
  exit 2
}
port=${TELLTALE_PROXY##*:}

# The app is audited, not the test tool.
unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy NODE_USE_ENV_PROXY

# default_service prints the network service of the default route. Its name stands
# in the line before that of its interface: "(1) Wi-Fi", "(Hardware Port: Wi-Fi, Device: en0)".
default_service() {
  local interface
  interface=$(route -n get default | awk '/interface:/ { print $2 }')
  networksetup -listnetworkserviceorder |
    awk -v device="Device: $interface)" 'index($0, device) { print name } { name = $0; sub(/^\([0-9*]+\) /, "", name) }'
}
service=${TELLTALE_NETWORK_SERVICE:-$(default_service)}

for kind in webproxy securewebproxy; do
  # Not grep -q: it ends at the first match, and pipefail takes a writer that is cut off for a no.
  if networksetup "-get$kind" "$service" | grep '^Enabled: Yes' >/dev/null; then
    echo "ios-simulator: $service has a proxy already: switch it off, and give it to telltale by --upstream-proxy" >&2
    exit 2
  fi
done

# shellcheck disable=SC2317 # a trap calls it
restore() {
  networksetup -setwebproxystate "$service" off || true
  networksetup -setsecurewebproxystate "$service" off || true
}
xcrun simctl keychain "${TELLTALE_SIMULATOR:-booted}" add-root-cert "$TELLTALE_CA"
trap restore EXIT
networksetup -setwebproxy "$service" 127.0.0.1 "$port"
networksetup -setsecurewebproxy "$service" 127.0.0.1 "$port"

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
