# Every target does the set-up that it needs, once; stamp files remember it.
#   make demo          digits on the generated Verilog, end to end
#   make test          lint, types, all tests; `make test-quick` leaves out the slow ones
#   make fuzz N=300    random layers on random configurations, RTL against golden model
#   make fuzz-clusters N=300  the same on several clusters
#   make fuzz-network N=300  random graphs on small buffers: both schedules, a share on the RTL
#   make fuzz-graph N=300  random model files against the interpreters that define them
#   make damage N=2000     broken model files: refused in a sentence, quickly
#   make test-thorough     tests that `make test` cuts short, with as many and as large cases as they know
#   make test-models   every recorded third-party model: golden model, command stream, RTL, and by
#                      the driver alone
#   make streaming     200 steps of streaming networks on every engine
#   make docs          the documentation as a site in build/site: warnings are errors, links checked
#   make test-docs     the commands of the tutorials, each in a fresh folder, and the notebooks
#   make operators     which operators tests compare with which interpreter: the tables of docs/models.md
#   make test-examples     Keras and PyTorch to the accelerator, each in an environment of its own
#   make mapper-campaign  the mapper's choice for random layers, weighed by the exact cycle model
#   make memory-campaign  10^6 bursts on the RTL of each board's memory, whose chip checks all its times
#   make c-runtime N=60  recorded models, random networks and faulty programs by the C runtime
#   make link-campaign 10^8 bytes over bad lines: nothing wrong, nothing done twice
#   make virtual-board real networks on the virtual board, over a pty and TCP
#   make bench-acceptance  the wheel in a fresh environment: benches of three configurations on both
#                      simulators, the generated testbench, mistakes that it must find
#   make contract N=300 cycles of random layers by the model, beside the counters of the RTL
#   make contract-clusters N=300  the same on several clusters
#   make shapes N=50   rows of tables of layer shapes, beside estimates of models of one layer
#   make traces        traces of the RTL, beside its counters and the exact model's; MODELS names a
#                      folder with ResNet-8
#   make report-acceptance  pages of ResNet-8, keyword spotting and MobileNetV2 in a browser, and every
#                      change that they suggest, applied; MODELS names their folder
#   make explore       searches killed and resumed, and on a Dask cluster: the same front, which lints
#   make explore-board 500 configurations for MLPerf Tiny on the ULX3S's part: time, the same front on
#                      a cluster, lint, syntheses, RTL, and how good fronts are; MODELS names a folder
#   make area          coefficients of the model of areas, from syntheses
#   make netlist       the digits model on the netlist that yosys makes for the ECP5
#   make netlist-asic  digits on the netlist of `tiny` for IHP SG13G2, and its energy, by a table that
#                      another layer must confirm; ROWFORGE_PDK names the data
#   make prove         properties of presets and of 10 random configurations, and mistakes that
#                      their proofs must find
#   make coverage      how much of the Verilog of `tiny`, `eyeriss_v1_int8` and the framed link is
#                      ever reached; ROWFORGE_WORKLOADS names the recorded models
#   make mutants N=30  how many small mistakes the tests notice; PATHS="..." for some files only
#   make build-board BOARD=B   a board's bitstream and its report in docs/results
#   make bitstreams    all of them, one after the other

VENV := .venv
BIN := $(VENV)/bin
STAMPS := .cache
N ?= 300
SEED ?=
JOBS ?= 2

# A Python of 3.11 or later that can make environments; another one by `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && { echo $$p; break; }; done)

# Python translates a module when it is first imported; most of the packages' never are.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

RUN_TOOLS := g++ make perl
TEST_TOOLS := $(RUN_TOOLS) iverilog
PACKAGES := g++ make perl python3 python3-venv
TEST_PACKAGES := $(PACKAGES) iverilog libpython3-dev

# A shell that ends by a signal must come to its trap of EXIT.
SIGNALS := trap 'exit 130' INT; trap 'exit 143' TERM; trap 'exit 129' HUP

.PHONY: demo test test-quick test-thorough lint fuzz fuzz-clusters fuzz-network fuzz-graph damage \
  test-models streaming docs test-docs operators test-examples mapper-campaign memory-campaign link-campaign \
  virtual-board bench-acceptance contract contract-clusters shapes explore area netlist \
  netlist-asic mutants prove build-board bitstreams clean c-runtime traces report-acceptance \
  explore-board coverage
.NOTPARALLEL:

demo: $(STAMPS)/run
	$(BIN)/rowforge demo

# One of two cores would be idle during most of the installation, and beside the type checker. So
# what tests share is made beside the former, and they run beside the latter, whose complaints are
# shown at the end. The warm-up is a process group of its own; like all that a shell starts in the
# background it does not hear an interrupt at the keyboard, so the shell ends it.
test: $(STAMPS)/prove
	@$(BIN)/python -m tests.warm_up tools & warm=$$!; \
	trap 'kill -s TERM -- -$$warm 2>/dev/null || kill $$warm 2>/dev/null' EXIT; $(SIGNALS); \
	$(MAKE) --no-print-directory $(STAMPS)/dev && $(BIN)/ruff check . && \
	$(BIN)/ruff format --check . && wait $$warm
	@$(BIN)/mypy >$(STAMPS)/types 2>&1 & types=$$!; trap 'kill $$types 2>/dev/null' EXIT; $(SIGNALS); \
	$(BIN)/python -m tests.warm_up runtime && $(BIN)/pytest -n $(JOBS) --dist worksteal; tests=$$?; \
	wait $$types; typed=$$?; cat $(STAMPS)/types; test $$tests = 0 && test $$typed = 0

test-quick: $(STAMPS)/dev
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not slow"

# The tests that ask `tests/thorough.py` how much to do.
test-thorough: $(STAMPS)/dev
	ROWFORGE_THOROUGH=1 $(BIN)/pytest -n $(JOBS) --dist worksteal \
	  $$(grep -rl --include='test_*.py' 'import thorough' tests)

lint: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.fuzz.run --n $(N) $(if $(SEED),--seed $(SEED))

fuzz-clusters: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.fuzz.run --clusters --n $(N) $(if $(SEED),--seed $(SEED))

fuzz-network: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.fuzz_network.run --n $(N) --jobs $(JOBS) $(if $(SEED),--seed $(SEED))

fuzz-graph: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.fuzz_graph.run --n $(N) $(if $(SEED),--seed $(SEED))

damage: N := $(if $(filter file,$(origin N)),2000,$(N))
damage: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.damage.run --n $(N) $(if $(SEED),--seed $(SEED))

# Needs the recorded models: ROWFORGE_WORKLOADS names their folder.
test-models: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.models.run --target golden
	$(BIN)/python -m tests.campaigns.models.stream
	$(BIN)/python -m tests.campaigns.models.run --target rtl
	$(BIN)/python -m tests.campaigns.models.onnx
	$(BIN)/python -m tests.campaigns.models.quantised
	$(BIN)/python -m tests.campaigns.models.cases --target rtl
	$(BIN)/python -m tests.campaigns.models.vectors
	$(BIN)/python -m tests.campaigns.models.sixteen --target rtl
	$(BIN)/python -m tests.campaigns.examples.run
	$(BIN)/python -m tests.campaigns.examples.run --target rtl
	$(BIN)/python -m tests.campaigns.models.driver

streaming: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.streaming.run $(if $(SEED),--seed $(SEED))

docs: $(STAMPS)/docs
	$(BIN)/python -m website.build -o build/site

test-docs: $(STAMPS)/docs
	$(BIN)/python -m website.run_pages

operators: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.operators.run --n $(N) $(if $(SEED),--seed $(SEED))

# The pages' own commands, in environments that they make; several GB of packages.
test-examples: $(STAMPS)/run
	$(BIN)/python examples/run_pages.py

contract: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.contract.run --n $(N) $(if $(SEED),--seed $(SEED))

contract-clusters: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.contract.run --clusters --n $(N) $(if $(SEED),--seed $(SEED))

shapes: N := $(if $(filter file,$(origin N)),50,$(N))
shapes: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.shapes.run --n $(N) $(if $(SEED),--seed $(SEED))

traces: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.traces.run $(if $(MODELS),--models $(MODELS))

report-acceptance: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.report.run --models $(MODELS)

explore: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.explore.run

# MODELS names the folder of MLPerf Tiny's models. About an hour; STAGES="search dask" for some.
explore-board: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.explore.board --models $(MODELS) $(if $(STAGES),--stages $(STAGES))
	$(BIN)/python -m benchmarks.exploring.hypervolume --models $(MODELS)

# A synthesis that is missing takes some minutes.
area: $(STAMPS)/dev
	$(BIN)/python -m benchmarks.area.measure
	$(BIN)/python -m benchmarks.area.fit

netlist: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.netlist.run

# Needs the process data: ROWFORGE_PDK names their folder. Verilator translates 150,000 gates.
netlist-asic: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.netlist.asic -o build/netlist
	$(BIN)/python -m tests.campaigns.netlist.energy build/netlist

prove: N := $(if $(filter file,$(origin N)),10,$(N))
prove: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.proofs.run --mutants
	$(BIN)/python -m tests.campaigns.proofs.run --n $(N) $(if $(SEED),--seed $(SEED)) \
	  -o docs/results/prove_all.json

# Simulations that count take half an hour to build, and as long to run.
coverage: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.coverage.run --config tiny --config eyeriss_v1_int8 \
	  --config link $(if $(SEED),--seed $(SEED)) -o docs/results/coverage.json

mutants: N := $(if $(filter file,$(origin N)),30,$(N))
mutants: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.mutants.run --n $(N) $(if $(PATHS),--paths $(PATHS)) \
	  --seed $(or $(SEED),$(shell printf %d 0x$$(git rev-parse --short=7 HEAD)))

mapper-campaign: N := $(if $(filter file,$(origin N)),100,$(N))
mapper-campaign: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.mapper.run --n $(N) $(if $(SEED),--seed $(SEED)) \
	  -o docs/results/mapper.json

memory-campaign: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.memory.run $(if $(SEED),--seed $(SEED)) \
	  -o docs/results/memory.json

c-runtime: N := $(if $(filter file,$(origin N)),60,$(N))
c-runtime: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.c_runtime.run --n $(N) $(if $(SEED),--seed $(SEED))

link-campaign: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.link.run $(if $(SEED),--seed $(SEED))

virtual-board: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.virtual_board.run

# The environment takes some 200 MB of packages from the index.
bench-acceptance: $(STAMPS)/dev
	$(BIN)/python -m tests.campaigns.bench.run $(if $(SEED),--seed $(SEED)) \
	  -o docs/results/bench_acceptance.json

# Boards with an open flow. A build takes up to 90 minutes.
BOARDS := ulx3s-85f orangecrab-25f orangecrab-85f ecpix5-85f tang-nano-20k icebreaker
BOARD ?= ulx3s-85f
build-board: $(STAMPS)/boards
	$(BIN)/rowforge build --board $(BOARD) -o build/$(BOARD) --seed $(or $(SEED),1) \
	  --report docs/results/board_$(subst -,_,$(BOARD)).json

bitstreams: $(addprefix bitstream-,$(BOARDS))

bitstream-%: $(STAMPS)/boards
	$(MAKE) build-board BOARD=$*

clean:
	rm -rf $(VENV) $(STAMPS) build dist rowforge-demo *.egg-info \
	  .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- set-up ---------------------------------------------------------------------------------

# $(call system,tools,packages): install Debian packages if a tool or Python is missing.
define system
	@missing="$(if $(PYTHON),,python3)"; \
	for tool in $(1); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	test -z "$$missing" && exit 0; \
	echo "missing:$$missing"; \
	command -v apt-get >/dev/null || { \
	  echo "install these with your system's package manager: $(2)"; exit 1; }; \
	test "$$(id -u)" = 0 || { \
	  echo "type: sudo apt-get update && sudo apt-get install -y $(2)"; exit 1; }; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -y -qq --no-install-recommends $(2)
endef

# The interpreter is looked for again: it may have been installed just now.
$(BIN)/python:
	$(call system,$(RUN_TOOLS),$(PACKAGES))
	$(or $(PYTHON),python3) -m venv $(VENV)

$(STAMPS)/run: pyproject.toml | $(BIN)/python
	$(call system,$(RUN_TOOLS),$(PACKAGES))
	$(PIP) -e .
	@mkdir -p $(STAMPS) && touch $@

# All that the warm-up's tools need, and no more.
$(STAMPS)/prove: pyproject.toml | $(BIN)/python
	$(call system,$(RUN_TOOLS),$(PACKAGES))
	$(PIP) -e '.[prove]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run

$(STAMPS)/dev: pyproject.toml | $(BIN)/python
	$(call system,$(TEST_TOOLS),$(TEST_PACKAGES))
	$(PIP) -e '.[dev]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run $(STAMPS)/prove

$(STAMPS)/docs: $(STAMPS)/dev
	$(PIP) -e '.[docs]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/boards: pyproject.toml | $(BIN)/python
	$(call system,$(RUN_TOOLS),$(PACKAGES))
	$(PIP) -e '.[boards]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run
