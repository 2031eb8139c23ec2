#!/usr/bin/env bash
# See a run to its end on spot slices: ask for one, run, and where it is taken away ask for the next, so many times.
set -euo pipefail

USAGE="usage: keep.sh --project P --zone Z --name N --type TYPE --runtime VERSION --tries 20 [--dry-run] -- COMMAND…

Creates a spot slice, whose name must be free, sets it up, starts COMMAND and looks after it. A slice that is taken away
is replaced, a run that a new start may mend (killed, stuck, told to end) is started again: --tries starts in all. One
that failed (code 1) is too, unless the start before failed as well and no checkpoint came between. The slice is given
back in any case, also at Ctrl-C.
The exit code is the run's; 1 if no try brought it to its end, or if the slice could not be given back. COMMAND must
resume, as train does with a --workdir on gs://.
  --tries    how many starts there are at most
  --dry-run  print every command of one try instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE NAME TYPE RUNTIME TRIES"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"
# shellcheck source-path=SCRIPTDIR source=slice.sh
source "$(dirname "$0")/slice.sh"
((${#COMMAND[@]})) || fail "a command must be given after --"

POLL_S=${POLL_S:-60}
here=$(dirname "$0")
slice=(--project "$PROJECT" --zone "$ZONE" --name "$NAME")
if [[ $DRY_RUN == yes ]]; then slice+=(--dry-run); fi
has_slice=no

start() { "$here/run.sh" "${slice[@]}" -- "${COMMAND[@]}"; }
begin() {
  has_slice=yes # also where asking for it fails half-way
  "$here/create.sh" "${slice[@]}" --type "$TYPE" --runtime "$RUNTIME" --spot && "$here/setup.sh" "${slice[@]}" && start
}
give_back() { delete_surely && has_slice=no; }
give_up() { echo "error: keep.sh: the run has $1" >&2 && exit 1; }
# shellcheck disable=SC2329  # by the trap
end() {
  trap '' INT TERM HUP
  if [[ $has_slice == no ]] || give_back; then exit "$1"; fi
  echo "error: keep.sh: slice $NAME is still there and costs money: $here/delete.sh ${slice[*]}" >&2
  exit 1
}

if [[ $DRY_RUN == yes ]]; then state && begin && code && give_back; exit; fi
found=$(state)
[[ $found == NONE ]] || fail "--name must be of no slice yet, but $NAME is ${found:-unknown}; delete.sh gives it back"
trap 'end $?' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

before=- # the checkpoints after a start that failed
for ((try = 1; try <= TRIES; try++)); do
  echo "try $try of $TRIES"
  if [[ $has_slice == no || ! $(state) =~ ^(ACTIVE)?$ ]] || ! start; then
    if [[ $has_slice == yes ]]; then give_back || true; fi
    begin || { give_back || true; sleep "$POLL_S"; continue; }
  fi
  watch
  now=-
  case $ended in
    0 | 2 | 3) exit "$ended" ;; # done, bad input, stopped by its own clock: a new start changes nothing
    '') echo "the slice was taken away" && { give_back || true; } ;;
    1) now=$(checkpoints "${COMMAND[@]}") && [[ $now != "$before" ]] || give_up "failed twice and got no further" ;;
    *) echo "the run ended with code $ended" ;;
  esac
  before=$now
  sleep "$POLL_S"
done
give_up "not come to its end in $TRIES tries"
