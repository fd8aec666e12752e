#!/usr/bin/env bash
# deploy.sh [diff|deploy|destroy]: the pipeline for any runner that has bash, curl and credentials for AWS.
#
#   diff      checks the file and prints the plan; writes nothing, and leaves plan.md
#   deploy    makes it so, tries it with two clients, and leaves msgai.env with the URL
#   destroy   removes everything but tables with their items
#
# MSGAI_VERSION chooses the release, which is fetched unless msgai is on the PATH. Exit codes are msgai's: 3 is "in part, run it
# again", 4 is "refused, nothing was changed".
set -euo pipefail

readonly VERSION="${MSGAI_VERSION:-0.1.0}"
readonly RELEASES="${MSGAI_RELEASES:-https://github.com/msgai/msgai/releases/download}"

install() {
  local name dir
  case "$(uname -s) $(uname -m)" in
    "Linux x86_64") name="msgai-$VERSION-x86_64-unknown-linux-gnu" ;;
    "Linux aarch64") name="msgai-$VERSION-aarch64-unknown-linux-gnu" ;;
    "Darwin arm64") name="msgai-$VERSION-aarch64-apple-darwin" ;;
    *) echo "put msgai on the PATH: this script fetches none for $(uname -s) $(uname -m)" >&2 && exit 64 ;;
  esac
  dir=$(mktemp -d)
  curl -fsSL --retry 3 "$RELEASES/v$VERSION/$name.tar.gz" -o "$dir/$name.tar.gz"
  curl -fsSL --retry 3 "$RELEASES/v$VERSION/SHA256SUMS" -o "$dir/SHA256SUMS"
  (cd "$dir" && grep " $name.tar.gz\$" SHA256SUMS | if command -v sha256sum >/dev/null; then sha256sum -c -; else shasum -a 256 -c -; fi) >&2
  tar -xzf "$dir/$name.tar.gz" -C "$dir"
  PATH="$dir/$name:$PATH"
}

command -v msgai >/dev/null || install

# Each last command takes the script's place, so that a signal for the script reaches msgai.
case "${1:-diff}" in
  diff)
    msgai validate
    msgai diff --markdown >plan.md
    exec cat plan.md
    ;;
  deploy)
    msgai validate --online
    msgai deploy --yes --smoke --lock-wait 10m &
    trap 'kill -TERM $!' INT TERM
    code=0
    wait $! || code=$?
    # A wait that a signal ended is not yet the end of msgai.
    while kill -0 $! 2>/dev/null; do code=0 && wait $! || code=$?; done
    ((code == 0)) || exit "$code"
    exec msgai outputs --env-file msgai.env
    ;;
  destroy) exec msgai destroy --yes ;;
  *) echo "usage: deploy.sh [diff|deploy|destroy]" >&2 && exit 64 ;;
esac
