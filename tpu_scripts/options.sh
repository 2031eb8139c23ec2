# shellcheck shell=bash disable=SC2034  # the variables are read by the scripts that source this
# What all scripts share. A script says in USAGE what it does and takes, in NEEDS what it cannot do without, and sources
# this file, which reads each option into the variable of its name and the words after -- into COMMAND.

PROJECT='' ZONE='' NAME='' TYPE='' RUNTIME='' WORKER=0 SPOT=no DRY_RUN=no COMMAND=()
CLUSTER='' IMAGE='' ACCOUNT='' PARTITION='' NODES='' GPUS='' CPUS='' TIME='' VENV='' TRIES=''

fail() {
  echo "error: ${0##*/}: $*" >&2
  exit 2
}

# run WORD…: run a command, or print it ready to be pasted into a shell.
run() {
  if [[ $DRY_RUN == yes ]]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

# upper WORD, lower WORD: macOS has a bash whose expansions cannot.
upper() { tr '[:lower:]' '[:upper:]' <<<"$1"; }
lower() { tr '[:upper:]' '[:lower:]' <<<"$1"; }

while (($#)); do
  if [[ $1 != --help && $USAGE != *"$1 "* ]]; then fail "unknown option $1; --help lists all"; fi
  case $1 in
    --help) echo "$USAGE" && exit 0 ;;
    --dry-run) DRY_RUN=yes ;;
    --spot) SPOT=yes ;;
    --) shift && COMMAND=("$@") && break ;;
    --project | --zone | --name | --type | --runtime | --worker | --cluster | --image | --account | --partition | \
      --nodes | --gpus | --cpus | --time | --venv | --tries)
      [[ $# -ge 2 && $2 != -* && -n $2 ]] || fail "$1 needs a value"
      printf -v "$(upper "${1#--}")" %s "$2"
      shift
      ;;
    *) fail "unknown option $1; --help lists all" ;;
  esac
  shift
done

for option in $NEEDS; do
  [[ -n ${!option} ]] || fail "--$(lower "$option") must be given"
done
for option in NODES GPUS CPUS TRIES; do
  [[ ${!option:-1} =~ ^[1-9][0-9]{0,3}$ ]] ||
    fail "--$(lower "$option") must be a whole number from 1 on, got ${!option}"
done
