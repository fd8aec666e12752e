#!/usr/bin/env bash
# Runs msgai for a job, and tells the job what came of it. In: INPUT_* as action.yml tells of them. Out: step outputs,
# the job's summary, a comment in the pull request, and msgai's exit code. bash 3.2, and jq for outputs and comments.
set -euo pipefail

readonly HERE="${GITHUB_ACTION_PATH:?is set by the runner}/action"
readonly MODE="${INPUT_MODE:-diff}"
WORK=$(mktemp -d "${RUNNER_TEMP:?is set by the runner}/msgai-run.XXXXXX")
readonly WORK
readonly SHOWN="$WORK/shown.md"
# For the comment alone: neither msgai nor what it builds shall find the token in its environment.
readonly TOKEN="${INPUT_TOKEN:-}"
unset INPUT_TOKEN
code=0

output() { printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr -d '\r\n')" >>"$GITHUB_OUTPUT"; }

summary() { cat >>"$GITHUB_STEP_SUMMARY"; }

# On one line, because each line may be a command to the runner.
fail() {
  printf '::error title=msgai::%s\n' "$(printf '%s' "$*" | tr '\r\n' '  ')"
  exit 64
}

# Runs msgai with what it prints both shown and kept, and its exit code in `code`. A runner that cancels tells this
# script alone, so the signal is handed on: msgai ends what is in flight, says what is left, and is gone in 5 seconds.
run_msgai() {
  local token job
  # What is printed is no command to the runner.
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$token"
  (
    msgai "$@" &
    echo $! >"$WORK/pid"
    code=0
    wait $! || code=$?
    echo "$code" >"$WORK/code"
  ) | tee "$SHOWN" &
  job=$!
  trap 'kill -TERM "$(cat "$WORK/pid")" 2>/dev/null || true' INT TERM
  while kill -0 "$job" 2>/dev/null; do wait "$job" || true; done
  trap - INT TERM
  echo "::$token::"
  code=$(cat "$WORK/code")
  output exit-code "$code"
  output plan "$SHOWN"
}

# How many changes the plan's last line tells of.
count_changes() {
  local numbers add=0 change=0 destroy=0
  numbers=$(sed -n 's/.*Plan: \([0-9]*\) to add, \([0-9]*\) to change, \([0-9]*\) to destroy.*/\1 \2 \3/p' "$SHOWN" | tail -n 1)
  if [[ -n $numbers ]]; then read -r add change destroy <<<"$numbers"; fi
  output add "$add"
  output change "$change"
  output destroy "$destroy"
  if ((add + change + destroy > 0)); then output changes true; else output changes false; fi
}

event() { jq -r "$1 // empty" "$GITHUB_EVENT_PATH"; }

# A pull request from a fork gets neither credentials nor a token that may write.
is_of_fork() {
  [[ -f ${GITHUB_EVENT_PATH:-} ]] || return 1
  [[ $(event .pull_request.number) != "" ]] || return 1
  [[ $(event .pull_request.head.repo.full_name) != "$(event .pull_request.base.repo.full_name)" ]]
}

run_diff() {
  if is_of_fork; then
    echo "::notice title=msgai diff::this pull request comes from a fork, which gets no credentials: stack.yaml is checked, the account is not asked"
    run_msgai validate
    echo "From a fork: \`stack.yaml\` was checked, and nothing compared with the account. Exit code $code." | summary
    return
  fi
  run_msgai diff --markdown --detailed-exitcode ${args[@]+"${args[@]}"}
  count_changes
  ((code == 0 || code == 2)) || return 0
  summary <"$SHOWN"
  if [[ ${INPUT_COMMENT:-true} == true && -f ${GITHUB_EVENT_PATH:-} ]]; then
    local number
    number=$(event .pull_request.number)
    if [[ -n $number ]]; then INPUT_TOKEN=$TOKEN bash "$HERE/comment.sh" "$number" "$SHOWN" "$code"; fi
  fi
  code=0
}

tell_outputs() {
  local document
  document=$(msgai outputs --json) || return 0
  output outputs "$document"
  output url "$(jq -r .url <<<"$document")"
  output api-id "$(jq -r .api_id <<<"$document")"
  output stage "$(jq -r .stage <<<"$document")"
}

# What was printed, where a fence of the text's own cannot end the block.
fenced() {
  printf '### msgai %s\n\n~~~~~~text\n' "$1"
  sed 's/^~~~~~~/ &/' "$SHOWN"
  printf '~~~~~~\n'
}

run_deploy() {
  run_msgai deploy --yes ${args[@]+"${args[@]}"}
  count_changes
  fenced deploy | summary
  if ((code == 0)); then tell_outputs; fi
}

run_other() {
  run_msgai "$@" ${args[@]+"${args[@]}"}
  fenced "$1" | summary
}

explain() {
  case $code in
    0) return 0 ;;
    3) echo "::error title=msgai $MODE::applied in part: the next deploy goes on where this one ended" ;;
    4) echo "::error title=msgai $MODE::refused: nothing was changed, and the log says why" ;;
    130) echo "::warning title=msgai $MODE::stopped by a signal: the next deploy goes on where this one ended" ;;
    *) echo "::error title=msgai $MODE::failed with exit code $code: the log says why" ;;
  esac
}

main() {
  command -v msgai >/dev/null || fail "there is no msgai on the PATH: say install: true, or put it there in a step before"
  cd "${INPUT_WORKING_DIRECTORY:-.}" || fail "working-directory is no folder here: ${INPUT_WORKING_DIRECTORY:-.}"
  if [[ -n ${INPUT_FILE:-} ]]; then export MSGAI_FILE=$INPUT_FILE; fi
  if [[ -n ${INPUT_ENVIRONMENT:-} ]]; then export MSGAI_ENV=$INPUT_ENVIRONMENT; fi
  local words
  words=$(printf '%s' "${INPUT_ARGS:-}" | tr '\n' ' ')
  read -r -a args <<<"$words" || true
  case $MODE in
    install) return 0 ;;
    diff) run_diff ;;
    deploy) run_deploy ;;
    destroy) run_other destroy --yes ;;
    smoke | validate) run_other "$MODE" ;;
    *) fail "mode is diff, deploy, smoke, destroy, validate or install, not $MODE" ;;
  esac
  explain
  exit "$code"
}

args=()
main
