# shellcheck shell=bash
# What several scripts ask of a slice, for them to source after options.sh.
set -euo pipefail

# on_workers WHICH SCRIPT: run a shell script on one worker (its number) or on all.
on_workers() {
  run gcloud compute tpus tpu-vm ssh "$NAME" --project="$PROJECT" --zone="$ZONE" --worker="$1" --command="$2"
}

# For a script on a worker, in ~/perc_jax: whether the command that run.sh started there lives. After the machine's next
# start its number may be another process's.
# shellcheck disable=SC2016,SC2034  # expanded on the workers
LIVES='[ -s run.pid ] && [ "$(cat run.boot 2>/dev/null)" = "$(cat /proc/sys/kernel/random/boot_id)" ] &&
  kill -0 "$(cat run.pid)" 2>/dev/null'

# state: what has become of the slice's request, ACTIVE for instance; NONE if there is none, nothing if gcloud fails.
state() {
  if said=$(run gcloud compute tpus queued-resources describe "$NAME" --project="$PROJECT" --zone="$ZONE" \
    --format='value(state.state)' 2>&1); then
    tail -n 1 <<<"$said" # warnings stand above it
  elif [[ $said == *NOT_FOUND* ]]; then
    echo NONE
  else
    echo "$said" >&2
  fi
}

# code: of the run on worker 0 its exit code; `runs` while it runs, nothing where the worker does not answer. A run that
# left no code was killed, or the disk was full.
code() {
  on_workers 0 "cd perc_jax 2>/dev/null || { echo 137; exit 0; }
if [ ! -s run.code ] && $LIVES; then echo runs; exit 0; fi
[ -s run.code ] || sleep 2
if [ -s run.code ]; then cat run.code; else echo 137; fi" || true
}

# checkpoints WORD…: the checkpoints that a command's --workdir has.
checkpoints() {
  local before='' workdir=''
  for word in "$@"; do
    if [[ $before == --workdir ]]; then workdir=$word; fi
    if [[ $word == --workdir=* ]]; then workdir=${word#--workdir=}; fi
    before=$word
  done
  if [[ -n $workdir ]]; then run gcloud storage ls "$workdir/checkpoints/*/commit.json" 2>/dev/null || true; fi
}

# watch: wait until the run has ended, with a code in `ended`; nothing in it where the slice is gone or does not answer.
watch() {
  local unheard=0
  while ended=$(code); do
    case $ended in
      runs) unheard=0 ;;
      '') ((++unheard < 10)) || return 0 ;; # the network, perhaps
      *) return 0 ;;
    esac
    if [[ ! $(state) =~ ^(ACTIVE)?$ ]]; then ended='' && return; fi
    sleep "$POLL_S"
  done
}

# delete: give the slice back, with its request. delete_surely: again where that fails, five times.
delete() { run gcloud compute tpus queued-resources delete "$NAME" --project="$PROJECT" --zone="$ZONE" --force -q; }
delete_surely() {
  for _ in 1 2 3 4 5; do
    if delete || [[ $(state) == NONE ]]; then return 0; fi # within a trap plain return is the trap's code
    sleep "$POLL_S"
  done
  return 1
}
