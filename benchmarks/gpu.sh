#!/usr/bin/env bash
# Everything that takes a GPU, in one command: what was written without one is shown to work here, or not to.
#
#   benchmarks/gpu.sh [--dry-run] [--out DIR] [--device cuda:N] [--data DIR] [--val DIR] [PART ...]
#
# Parts, in this order: tests tables prediction training search pruning; without any all of them, in under 25 minutes on
# one H100. Each writes its JSON, pages and log into DIR (default runs/gpu). A part that is done is not done again: the
# same command goes on after an interruption, and one that failed is tried again. --dry-run goes through all of it on
# the CPU at tiny sizes. PYTHON names the interpreter (default python). It exits with 1 where a part failed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python}
out=runs/gpu device=cuda dry=0 pictures=() wanted=()

usage() { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

fail() { echo "error: $1" >&2; exit 2; }

while (($#)); do
  case $1 in
    --dry-run) dry=1; shift ;;
    --help|-h) usage; exit 0 ;;
    --out|--device|--data|--val)
      (($# > 1)) || fail "$1 takes a value; see --help"
      case $1 in --out) out=$2 ;; --device) device=$2 ;; *) pictures+=("$1" "$2") ;; esac
      shift 2 ;;
    tests|tables|prediction|training|search|pruning) wanted+=("$1"); shift ;;
    *) fail "unknown argument $1; see --help" ;;
  esac
done
((${#wanted[@]})) || wanted=(tests tables prediction training search pruning)

if ((dry)); then
  device=cpu size=32x24 systems=(--systems "ECBSR,RFDN") budget=60000
  prediction=(--networks 2) training=(--steps 16 --batch 2 --patch 16 --rounds 1)
  search=(--trials 2 --trial-steps 12 --train-steps 4 --batch 2 --patch 8 --workers 1)
  dense=(--num-feat 8 --config num_block1=1 --config num_block2=1 --steps 8 --batch 2 --patch 16)
  pruning=(--time-limit none --ratio 0.8 --rounds 1 --tick-steps 1 --tock-steps 1 --fine-tune-steps 1 --batch 2 --patch 16)
else
  size=256x256 systems=() budget=4
  prediction=(--networks 40) training=(--steps 400 --batch 16 --patch 32 --rounds 3)
  search=(--time-limit 10m)
  dense=(--num-feat 32 --steps 2000)
  pruning=(--time-limit 4m --ratio 0.5)
fi

mkdir -p "$out" || fail "cannot write into $out"
out=$(cd "$out" && pwd)
cd "$root" || exit 2
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
failed=0

# step NAME COMMAND...: what is done is not done again; what it says is in NAME.log.
step() {
  local name=$1 began=$SECONDS code
  shift
  [[ -f $out/$name.done ]] && { echo "$name: done before"; return 0; }
  echo "$name: $*" | tee "$out/$name.log"
  "$@" >>"$out/$name.log" 2>&1
  code=$?
  if ((code == 0)); then
    echo "{\"seconds\": $((SECONDS - began)), \"device\": \"$device\", \"dry_run\": $dry}" >"$out/$name.done"
    echo "$name: $((SECONDS - began)) s"
  else
    failed=1
    echo "$name: failed with $code after $((SECONDS - began)) s; the end of $out/$name.log:"
    tail -n 5 "$out/$name.log"
  fi
  return $code
}

part_tests() {
  step tests "$python" -m pytest -q -n 0 tests/device tests/sr/measure/test_timing.py tests/sr/measure/test_latency.py \
    tests/sr/measure/test_target.py tests/sr/test_memory.py tests/sr/measure/engines
}

part_tables() {
  local dtype execution name
  for dtype in float32 float16; do
    for execution in eager graph; do
      # Half precision has no kernels worth the name on a CPU, and a graph is CUDA's.
      ((dry)) && [[ $dtype$execution != float32eager ]] && continue
      name=table-$dtype-$execution
      # auto, not graph: a network that runs in none is a row all the same, and its runtime says so.
      step "$name" "$python" -m baselines.table --device "$device" --engine torch --dtype "$dtype" --lr-size "$size" \
        --execution "${execution/graph/auto}" "${systems[@]}" --out "$out/$name" --json "$out/$name.json" \
        --html "$out/$name.html"
    done
  done
}

part_prediction() {
  step prediction "$python" benchmarks/runtime_prediction.py --device "$device" --engine torch --lr-size "$size" \
    --budget-ms "$budget" "${prediction[@]}" --json "$out/prediction.json"
}

part_training() {
  step training "$python" benchmarks/training_speed.py --device "$device" "${pictures[@]}" "${training[@]}" \
    --json "$out/training.json"
}

part_search() {
  local resume=()
  [[ -f $out/search/study.journal ]] && resume=(--resume)
  step search "$python" -m nas.search --device "$device" --engine torch --lr-size "$size" --budget-ms "$budget" \
    "${pictures[@]}" "${search[@]}" "${resume[@]}" --out "$out/search"
}

part_pruning() {
  local resume=()
  if [[ ! -f $out/dense.pth ]]; then
    [[ -f $out/dense.pth.state || -f $out/dense.pth.partial ]] && resume=(--resume)
    step dense "$python" -m baselines.train hcsrn "${dense[@]}" "${pictures[@]}" --device "$device" \
      "${resume[@]}" --out "$out/dense.pth" --json "$out/dense.json" || return
    resume=()
  fi
  [[ -f $out/pruned/asked.json ]] && resume=(--resume)
  step pruning "$python" -m prune.run "$out/dense.pth" --device "$device" --engine torch --lr-size "$size" \
    "${pictures[@]}" "${pruning[@]}" "${resume[@]}" --out "$out/pruned" --json "$out/pruning.json"
}

for part in "${wanted[@]}"; do
  "part_$part"
done
((failed)) && echo "some parts failed: the same command tries them again"
exit $failed
