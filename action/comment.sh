#!/usr/bin/env bash
# comment.sh NUMBER FILE CODE: puts a diff into a pull request, once. The first line of FILE is the mark by which the
# comment is found again; CODE is 0 when the diff has no changes, and then no new comment is made.
set -euo pipefail

readonly NUMBER=$1 FILE=$2 CODE=$3
readonly API="${GITHUB_API_URL:?is set by the runner}/repos/${GITHUB_REPOSITORY:?is set by the runner}"
# Pages of a hundred comments that are looked through.
readonly PAGES=20

# The token goes in by a file, because arguments are everybody's to read.
call() {
  local answer=$1
  shift
  curl --silent --show-error --retry 3 --output "$answer" --write-out '%{http_code}' --config - "$@" <<END
header = "authorization: Bearer ${INPUT_TOKEN:-}"
header = "accept: application/vnd.github+json"
header = "x-github-api-version: 2022-11-28"
END
}

warn() { echo "::warning title=msgai diff::the diff is not in the pull request: $*"; }

# msgai keeps the diff below what a comment may hold.
body() {
  cat "$FILE"
  printf '\n<sub>%s · [run](%s/%s/actions/runs/%s)</sub>\n' \
    "$(event_commit)" "${GITHUB_SERVER_URL:-}" "$GITHUB_REPOSITORY" "${GITHUB_RUN_ID:-}"
}

event_commit() { jq -r '.pull_request.head.sha // "" | .[0:12]' "$GITHUB_EVENT_PATH"; }

# The id of our comment, by its mark and its author: whoever may comment could otherwise offer one to be edited.
ours() {
  local mark=$1 answer page status
  answer=$(mktemp)
  for ((page = 1; page <= PAGES; page++)); do
    status=$(call "$answer" "$API/issues/$NUMBER/comments?per_page=100&page=$page")
    [[ $status == 200 ]] || return 1
    jq -r --arg mark "$mark" --arg author "${INPUT_COMMENT_AUTHOR:-}" \
      '[.[] | select(.user.login == $author and (.body | startswith($mark))) | .id][0] // empty' "$answer" >"$answer.id"
    if [[ -s $answer.id ]]; then
      cat "$answer.id"
      return 0
    fi
    [[ $(jq length "$answer") == 100 ]] || return 0
  done
}

main() {
  local mark id answer status
  command -v jq >/dev/null || { warn "there is no jq on this runner"; return; }
  mark=$(head -n 1 "$FILE")
  [[ $mark == "<!-- msgai:"*" -->" ]] || { warn "it has no mark"; return; }
  id=$(ours "$mark") || { warn "its comments cannot be read (pull-requests: write is needed)"; return; }
  if [[ -z $id && $CODE == 0 ]]; then
    echo "no changes, and no comment from before: none is made"
    return
  fi
  answer=$(mktemp)
  body | jq -Rs '{ body: . }' >"$answer.body"
  if [[ -n $id ]]; then
    status=$(call "$answer" --request PATCH --data-binary "@$answer.body" "$API/issues/comments/$id") || true
  else
    status=$(call "$answer" --request POST --data-binary "@$answer.body" "$API/issues/$NUMBER/comments") || true
  fi
  case $status in
    200 | 201) echo "the diff is in $(jq -r .html_url "$answer")" ;;
    *) warn "GitHub answered $status (pull-requests: write is needed)" ;;
  esac
}

main
