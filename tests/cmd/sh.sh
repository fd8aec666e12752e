#!/bin/sh
# Runs one line of shell in its test's folder.
cd "$SCRATCH" || exit 99
PATH="$(dirname "$MSGAI"):$PATH" exec sh -c "$1" 2>&1
