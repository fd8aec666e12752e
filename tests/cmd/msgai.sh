#!/bin/sh
# Runs msgai in its test's folder, and replaces what differs from one run to the next.
cd "$SCRATCH" || exit 99
"$MSGAI" "$@" >"$SCRATCH.out" 2>&1 </dev/null
code=$?
tr '\033' '^' <"$SCRATCH.out" | sed -E \
  -e 's/[0-9]+\.[0-9] s/X s/g' \
  -e 's/"at":"[^"]*"/"at":"TIME"/g' \
  -e 's/"seconds":[0-9.e-]+/"seconds":0/g' \
  -e 's/"(physical_id|api_id)":"[^"]*"/"\1":"ID"/g' \
  -e 's/^(api +)[a-z0-9]{10}$/\1ID/' \
  -e 's/((api|deployment)\/.* live|deployment\/.* drifted)( +)[a-z0-9]{6,10}/\1\3ID/' \
  -e 's/(execute-api:[^:]*:[0-9]+:)[a-z0-9]{10}/\1ID/g' \
  -e 's/(arn:…:)[a-z0-9]{10}\//\1ID\//g' \
  -e 's/[0-9a-f]{16}/DIGEST/g' \
  -e 's/^`{3}/~~~/' \
  -e 's/\(os error [0-9]+\)/(os error N)/'
exit $code
