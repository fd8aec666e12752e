#!/usr/bin/env bash
# Installs a release of msgai for the steps that follow. In: INPUT_VERSION, INPUT_SHA256, INPUT_ATTESTATION and
# INPUT_RELEASES, as action.yml tells of them. bash 3.2, curl, tar or unzip; of the runner, its files and nothing else.
set -euo pipefail

readonly REPOSITORY=msgai/msgai
readonly ROOT="${GITHUB_ACTION_PATH:?is set by the runner}"

# To stderr, which the runner reads as well: some fail where stdout is somebody's answer. On one line, because each line
# may be a command to the runner.
fail() {
  printf '::error title=msgai install::%s\n' "$(printf '%s' "$*" | tr '\r\n' '  ')" >&2
  exit 1
}

# The action of a release installs that release, also where the workflow pins the action by commit.
wanted_version() {
  local version=${INPUT_VERSION:-}
  [[ -n $version ]] || version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml" | head -n 1)
  printf '%s' "${version#v}"
}

target_of_this_machine() {
  case "$(uname -s) $(uname -m)" in
    "Linux x86_64") echo x86_64-unknown-linux-gnu ;;
    "Linux aarch64" | "Linux arm64") echo aarch64-unknown-linux-gnu ;;
    "Darwin x86_64") echo x86_64-apple-darwin ;;
    "Darwin arm64") echo aarch64-apple-darwin ;;
    MINGW*" x86_64" | MSYS*" x86_64") echo x86_64-pc-windows-msvc ;;
    *) fail "there is no release for $(uname -s) $(uname -m): build msgai on the runner and say install: false" ;;
  esac
}

digest_of() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1" | cut -d' ' -f1
  else
    shasum -a 256 <"$1" | cut -d' ' -f1
  fi
}

fetch() {
  curl --fail --silent --show-error --location --retry 3 --output "$2" "$1" ||
    fail "cannot fetch $1: is there a release of that version?"
}

check() {
  local archive=$1 file=$2 sums=$3 wanted actual
  wanted=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$sums")
  actual=$(digest_of "$file")
  [[ -n $wanted ]] || fail "SHA256SUMS does not list $archive"
  [[ $actual == "$wanted" ]] || fail "$archive is not what was released: $actual, not $wanted"
  if [[ -n ${INPUT_SHA256:-} && $actual != "$INPUT_SHA256" ]]; then
    fail "$archive is not what the workflow pins: $actual, not $INPUT_SHA256"
  fi
}

main() {
  local version target archive base name dir
  version=$(wanted_version)
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "a version is like 0.1.0, not $version"
  target=$(target_of_this_machine)
  name="msgai-$version-$target"
  archive="$name.tar.gz"
  [[ $target != *windows* ]] || archive="$name.zip"
  base="${INPUT_RELEASES:-https://github.com/$REPOSITORY/releases/download}/v$version"
  dir=$(mktemp -d "${RUNNER_TEMP:?is set by the runner}/msgai.XXXXXX")

  fetch "$base/SHA256SUMS" "$dir/SHA256SUMS"
  fetch "$base/$archive" "$dir/$archive"
  check "$archive" "$dir/$archive" "$dir/SHA256SUMS"
  if [[ ${INPUT_ATTESTATION:-} == true ]]; then
    gh attestation verify "$dir/$archive" --repo "$REPOSITORY" || fail "nobody attests where $archive comes from"
  fi

  case $archive in
    *.zip) unzip -q "$dir/$archive" -d "$dir" ;;
    *) tar -xzf "$dir/$archive" -C "$dir" ;;
  esac
  local bin="$dir/$name"
  if command -v cygpath >/dev/null; then bin=$(cygpath -w "$bin"); fi
  printf '%s\n' "$bin" >>"$GITHUB_PATH"
  "$dir/$name/msgai" version
}

main
