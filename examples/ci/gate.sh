#!/bin/sh
# Checks every channel, template and campaign of this folder without a network. The status is 0 when all pass.
set -eu
cd "$(dirname "$0")"
: "${METRIX_APP_ID:?set it to the APP_ID that the channels were tested for}"
export METRIX_APP_ID METRIX_API_KEY="${METRIX_API_KEY:-not-needed-offline}"

metrix-channels preflight --offline
metrix-channels preflight --offline campaigns/*.yaml
