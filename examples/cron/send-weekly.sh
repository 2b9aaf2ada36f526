#!/bin/sh
# Sends this week's campaign, or continues it. Cron may start it as often as you like: see README.md.
set -u
cd "$(dirname "$0")" || exit 2
PATH="$PWD/venv/bin:$PATH"
set -a # the command reads the credentials from its environment
[ ! -f metrix.env ] || . ./metrix.env
set +a

run="weekly-$(date +%G-w%V)" # ISO year and week: the same name all week
output=$(metrix-channels campaign run campaigns/weekly.yaml --name "$run" --yes 2>&1)
status=$?
case "$status:$output" in
    0:*) ;;
    2:*"[run_finished]"*) status=0 ;; # an earlier start has sent it
    *) printf '%s\n' "$output" ;;     # cron mails this
esac
exit "$status"
