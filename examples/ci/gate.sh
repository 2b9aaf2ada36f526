#!/bin/sh
# Checks every channel, template and campaign in this folder without a network. The status is 0 if all pass.
set -eu
cd "$(dirname "$0")"
: "${METRIX_APP_ID:?set it to the APP_ID that the channels were tested for}"
export METRIX_APP_ID METRIX_API_KEY="${METRIX_API_KEY:-not-needed-offline}"

metrix-channels preflight --offline
metrix-channels preflight --offline campaigns/*.yaml
