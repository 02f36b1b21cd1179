# A thin layer over scripts/ and CMake; `make help` lists what there is.
#   BUILD=dir  JOBS=n  LLAMA_DIR=dir (a llama.cpp of yours)  SKIP_DEPS=1 (packages are your own affair)
#   CMAKE_FLAGS='-DDEV=ON'  TESTS=regex (test, asan, valgrind)  MUTANTS=regex or every:N  RUN_FLAGS=... (demo)
BUILD ?= build
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
export BUILD JOBS LLAMA_DIR TESTS FUZZ_SECONDS

CMAKE_FLAGS ?=
llama = -DCHORUS_LLAMA="$(LLAMA_DIR)"
configure = cmake --log-level=NOTICE -S . $(llama) $(CMAKE_FLAGS)
# The parent's MAKEFLAGS would make the generated makefiles fight over its job server.
compile = env -u MAKEFLAGS -u MAKELEVEL cmake --build
ctest = ctest --output-on-failure --no-tests=error $(if $(TESTS),-R '$(TESTS)')

.NOTPARALLEL:
.DEFAULT_GOAL := all
.PHONY: all help deps build demo test selftest mutants asan valgrind torture fuzz bench bench-peers hdr-check \
	deps-check names-check banned budgets format-check lint format clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

all: build ## the same as build

deps: ## install packages, fetch the small model, build libllama; nothing when all is there
ifndef SKIP_DEPS
	@scripts/deps.sh
endif

build: deps ## build/chorus, the tests and the examples
	@$(configure) -B $(BUILD)
	@$(compile) $(BUILD) --parallel $(JOBS)

demo: build ## measure, train and measure again on eight small tasks
	$(BUILD)/chorus run examples/demo/demo.yaml $(RUN_FLAGS)

test: build ## all tests
	@cd $(BUILD) && $(ctest)

selftest: build ## feed the test suite's own checkers wrong data and demand that they fail
	scripts/selftest.sh

mutants: build ## break each backward pass in turn and demand that a test turns red
	scripts/mutants.sh

asan: deps ## all tests but that of the peak memory, under the address, leak and undefined-behaviour sanitizers
	@$(configure) -B build-asan -DCMAKE_BUILD_TYPE=Debug -DCHORUS_SANITIZE=ON
	@$(compile) build-asan --parallel $(JOBS)
	@cd build-asan && UBSAN_OPTIONS=print_stacktrace=1 \
	ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
	LSAN_OPTIONS=suppressions=$(CURDIR)/cmake/lsan.supp:print_suppressions=0 $(ctest) -E test_memory

valgrind: deps ## all C tests under valgrind (slow)
	scripts/valgrind.sh

torture: build ## kill, starve and refuse the disk to a whole tiny run at hundreds of places (minutes)
	CHORUS=$(BUILD)/chorus scripts/torture.sh

fuzz: deps ## explore each reader with libFuzzer for FUZZ_SECONDS (60)
	scripts/fuzz.sh

bench: build ## build the benchmarks and run each with its defaults
	@$(compile) $(BUILD) --parallel $(JOBS) --target bench
	@set -e; for b in bench/*.c; do \
	  [ ! -e "$$b" ] || { b=$(BUILD)/$${b%.c}; echo "== $$b"; $$b; }; done

bench-peers: build ## chorus beside PyTorch and llama.cpp into bench/RESULTS.md (hours; PARTS=train,sft,cat,decode,measure,cost)
	@$(compile) $(BUILD) --parallel $(JOBS) --target bench
	@bench/peers/setup.sh
	@[ ! -x bench/peers/llama/build.sh ] || bench/peers/llama/build.sh
	third_party/peers-venv/bin/python bench/peers/run.py --build $(BUILD) $(if $(PARTS),--parts $(PARTS)) $(PEER_FLAGS)

hdr-check: ## every header compiles alone, and twice
	@scripts/hdr-check.sh

deps-check: ## rooms of src/ include only what stands below them, and no file itself on a detour
	@scripts/deps-check.sh

names-check: ## no two files of one name; headers, and what comments and documents name, are there
	@scripts/names-check.sh

banned: # functions nobody may call
	@scripts/banned.sh

budgets: # lengths of functions, files and rooms
	@scripts/budgets.sh

format-check: # what `make format` would change
	@scripts/apt.sh clang-format
	@scripts/c-files.sh | xargs -r clang-format --dry-run -Werror

lint: deps deps-check names-check banned budgets format-check hdr-check ## all checks that need no run, and a build with -Werror
	@$(configure) -B build-lint -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O0 -DDEV=ON
	@$(compile) build-lint --parallel $(JOBS) --target all bench fuzz
	@scripts/calls-check.sh build-lint
	@echo "lint: clean"

format: ## lay out all C sources with clang-format
	@scripts/apt.sh clang-format
	@scripts/c-files.sh | xargs -r clang-format -i

clean: ## remove the build trees
	rm -rf build build-asan build-lint build-mutants build-valgrind build-fuzz

distclean: clean ## remove what `make deps` fetched and built, too
	rm -rf third_party
	rm -f models/*.gguf models/*.tmp
