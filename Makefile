# A short front for Meson and Ninja (docs/decisions/0001-meson.md). `make help` lists the targets.
PREFIX  = /usr/local
SEEDS   = 1000
FIRST   = 1
SECONDS = 60
RELEASE = build/release
C_FILES = $(shell find src include sim test bench -name "*.[ch]" 2>/dev/null)

build: ## compile a release into build/release (this is what plain `make` does)
	@tools/install-deps build
	@tools/configure release
	@ninja --quiet -C $(RELEASE) programs

run: build ## start a cluster of three nodes on this machine
	@exec $(RELEASE)/src/bin/gramme demo

test: ## everything that asserts: checks, unit, simulator, end to end; ends with the sum
	@tools/install-deps test
	@tools/test-all test

proof: ## what takes long or measures time: many seeds, canaries, benchmarks
	@tools/install-deps test
	@tools/test-all proof --seeds $(SEEDS) --first $(FIRST)

check: build ## the style checker
	@tools/install-deps test
	@tools/check

fmt: ## format every C file
	@tools/install-deps test
	@clang-format -i $(C_FILES)
# Comments that it has just broken are aligned by a second pass only.
	@clang-format -i $(C_FILES)

sim: build ## run SEEDS seeds of the simulator from FIRST on, or SEED=N alone; MINIMISE=1 shrinks it
	@ninja --quiet -C $(RELEASE) sim/gramme-sim
	@$(RELEASE)/sim/gramme-sim $(if $(SEED),--seed $(SEED) $(if $(MINIMISE),--minimise), \
		--first $(FIRST) --seeds $(SEEDS))

sim-canaries: build ## leave out one rule at a time; the audit must notice each
	@ninja --quiet -C $(RELEASE) sim/gramme-sim
	@$(RELEASE)/sim/gramme-sim --canaries

sim-crowd: build ## 1,000 members that only gossip, for more than three node-months; SEED=N
	@ninja --quiet -C $(RELEASE) sim/gramme-sim
	@$(RELEASE)/sim/gramme-sim --crowd --minutes 132 --seed $(or $(SEED),1)

sim-overload: build ## half to three times the load a cluster can carry, in invented time; SEED=N
	@ninja --quiet -C $(RELEASE) sim/gramme-sim
	@$(RELEASE)/sim/gramme-sim --overload --seed $(or $(SEED),1)

fuzz: ## run every fuzzer for SECONDS
	@tools/install-deps test
	@tools/configure fuzz
	@ninja -C build/fuzz
	@tools/fuzz-all $(SECONDS)

bench: build ## measure throughput and latency, beside Redis on the same machine
	@tools/install-deps test
	@bench/run

sessions: build ## a session store across three sites of three nodes, a cut and its healing; SMALL=1
	@tools/install-deps test
	@bench/sessions $(if $(SMALL),--small)

figure8: build ## the paper's comparison of partitioning strategies: its table, and docs/figure8.svg
	@tools/install-deps figure
	@ninja --quiet -C $(RELEASE) bench/figure8
	@$(RELEASE)/bench/figure8 >$(RELEASE)/figure8.txt
	@cat $(RELEASE)/figure8.txt
	@gnuplot -e "table='$(RELEASE)/figure8.txt'; picture='docs/figure8.svg'" bench/figure8.gnuplot

install: ## install under PREFIX, within DESTDIR if given
	@tools/install-deps build
	@tools/configure release -Dprefix=$(PREFIX)
	@ninja --quiet -C $(RELEASE) programs
	@meson install --quiet --no-rebuild -C $(RELEASE) $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean: ## remove everything that was built
	@rm -rf build

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 14

.PHONY: build run test proof check fmt sim sim-canaries sim-crowd sim-overload fuzz bench sessions figure8 install clean help
