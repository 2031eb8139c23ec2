#!/usr/bin/env bash
# See a run to its end on spot slices: ask for one, run, and where it is taken away ask for the next, so many times.
set -euo pipefail

USAGE="usage: keep.sh --project P --zone Z --name N --type TYPE --runtime VERSION --tries 20 [--dry-run] -- COMMAND…

Creates a spot slice, sets it up, starts COMMAND and looks after it. A slice that is taken away is replaced, a run that
a new start may mend (killed, stuck, told to end, failed) is started again: --tries starts in all. The slice is given
back at the end in any case. The exit code is the run's; 1 if no try brought it to its end. COMMAND must resume, as
train does with a --workdir on gs://.
  --tries    how many starts there are at most
  --dry-run  print every command of one try instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE NAME TYPE RUNTIME TRIES"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"
((${#COMMAND[@]})) || fail "a command must be given after --"

POLL_S=${POLL_S:-60}
here=$(dirname "$0")
slice=(--project "$PROJECT" --zone "$ZONE" --name "$NAME")
if [[ $DRY_RUN == yes ]]; then slice+=(--dry-run); fi

give_back() { "$here/delete.sh" "${slice[@]}" || true; }
state() {
  run gcloud compute tpus queued-resources describe "$NAME" --project="$PROJECT" --zone="$ZONE" \
    --format='value(state.state)'
}
start() { "$here/run.sh" "${slice[@]}" -- "${COMMAND[@]}"; }
begin() {
  "$here/create.sh" "${slice[@]}" --type "$TYPE" --runtime "$RUNTIME" --spot && "$here/setup.sh" "${slice[@]}" && start
}
# The exit code of the run on worker 0, or nothing while it runs or the worker does not answer.
code() { on_workers 0 'cat perc_jax/run.code 2>/dev/null || true' || true; }

if [[ $DRY_RUN == yes ]]; then
  begin && code && give_back
  exit 0
fi

has_slice=no
for ((try = 1; try <= TRIES; try++)); do
  echo "try $try of $TRIES"
  if [[ $has_slice == yes ]] && start || begin; then
    has_slice=yes
    unheard=0
    while ended=$(code) && [[ -z $ended ]]; do
      case $(state) in
        ACTIVE) unheard=0 ;;
        '') ((++unheard < 10)) || break ;; # the network, perhaps
        *) break ;;
      esac
      sleep "$POLL_S"
    done
    case $ended in
      0 | 2 | 3) give_back && exit "$ended" ;; # done, bad input, stopped by its own clock: a new start changes nothing
      '') echo "the slice was taken away" ;;
      *) echo "the run ended with code $ended" && sleep "$POLL_S" && continue ;;
    esac
  fi
  give_back
  has_slice=no
  sleep "$POLL_S"
done
if [[ $has_slice == yes ]]; then give_back; fi
echo "error: keep.sh: the run has not come to its end in $TRIES tries" >&2
exit 1
