# Builds, shows, tests and installs res_userpresence.so. `make help` lists the targets;
# `make demo` and `make test` also install the tools that they need.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One target at a time: cargo uses every core by itself.
.NOTPARALLEL:

# The directory that cargo builds in, and the private Asterisk for the tests and the demo.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
ROOT := target/asterisk/22
FILE := res_userpresence.so

# The module that `make build` builds and `make install` installs.
MODULE := $(TARGET)/release/$(FILE)
# The module for the private Asterisk: the same one, unless other headers are in use.
PRIVATE := $(TARGET)/private/$(FILE)
SELFTEST := $(TARGET)/selftest/$(FILE)

# build.rs looks for headers in ASTERISK_INCLUDE, in /usr/include, then in the private
# Asterisk. If it finds any in the first two, the private Asterisk needs its own build.
OTHER_HEADERS := $(ASTERISK_INCLUDE)$(wildcard /usr/include/asterisk.h)
FOR_PRIVATE := $(if $(OTHER_HEADERS),ASTERISK_INCLUDE=$(ROOT)/usr/include)

PURE := --no-default-features
# The tests time nothing in the build for them, which takes half the time without optimisation
# across crates.
QUICKLY := CARGO_PROFILE_SELFTEST_LTO=off CARGO_PROFILE_SELFTEST_CODEGEN_UNITS=16
# Tests in Asterisk wait most of the time: one more at a time than there are processors.
THREADS := $(shell echo $$(($$(nproc) + 1)))
# The builds that the tests in Asterisk load.
MODULES := USERPRESENCE_MODULE=$(PRIVATE) USERPRESENCE_SELFTEST_MODULE=$(SELFTEST)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' Makefile | expand -t 14
	@echo
	@echo 'make build ASTERISK_INCLUDE=DIR   build for the Asterisk whose asterisk.h is in DIR'
	@echo 'make install DESTDIR=DIR          install below DIR, for a package'
	@echo 'make install ASTERISK=FILE        look at this program; MODULES_DIR, CONFIG_DIR and'
	@echo '                                  DATA_DIR name directories, FORCE=yes asks nothing'

.PHONY: setup
setup: ## Install the missing tools for everything (Debian packages)
	@tests/setup.sh build asterisk demo test

# Each of these installs the tools for its own purpose only: the demo needs no browser.
.PHONY: setup-demo
setup-demo:
	@tests/setup.sh build asterisk demo

.PHONY: setup-test
setup-test:
	@tests/setup.sh build asterisk test

.PHONY: asterisk
asterisk: ## Unpack a private Asterisk 22 under target/asterisk
	@tests/setup.sh asterisk
	@tests/asterisk/unpack.sh $(ROOT)

.PHONY: databases
databases:
	@tests/setup.sh asterisk
	@tests/asterisk/databases.sh target/databases

.PHONY: etcd
etcd:
	@tests/setup.sh asterisk
	@tests/asterisk/etcd.sh target/etcd

.PHONY: axe
axe:
	@tests/asterisk/axe.sh target/axe

.PHONY: schemathesis
schemathesis:
	@tests/asterisk/schemathesis.sh target/schemathesis

.PHONY: pjsua
pjsua:
	@tests/asterisk/pjsua.sh target/pjsua

.PHONY: build
build: $(if $(OTHER_HEADERS),,asterisk) ## Build target/release/res_userpresence.so
	@tests/setup.sh build
	cargo build --release
	@cp -f $(TARGET)/release/lib$(FILE) $(MODULE)
	@tests/built-for.sh $(MODULE) $(ROOT) '$(ASTERISK_INCLUDE)'

# Always for the private Asterisk, even if other headers are in use.
.PHONY: build-private
build-private: asterisk
	@tests/setup.sh build
	$(FOR_PRIVATE) cargo build --release
	@install -D -m 644 $(TARGET)/release/lib$(FILE) $(PRIVATE)

# The same with the test commands. The build has its own profile because cargo would
# mistake two builds with the same name in one directory for each other.
.PHONY: build-selftest
build-selftest: asterisk
	@tests/setup.sh build
	$(FOR_PRIVATE) cargo build --profile selftest --features selftest
	@cp -f $(TARGET)/selftest/lib$(FILE) $(SELFTEST)

.PHONY: demo
demo: setup-demo build-private ## Show what the module does, in a private Asterisk
	@tests/demo/demo.sh $(ROOT) $(PRIVATE)

.PHONY: demo-cluster
demo-cluster: setup-demo etcd build-private ## Show three Asterisks that share their users through etcd
	@tests/demo/cluster.sh $(ROOT) target/etcd $(PRIVATE)

.PHONY: run
run: setup-demo build-private ## Run an office of thirty people in a private Asterisk, in the foreground
	@tests/demo/run.sh $(ROOT) $(PRIVATE)

.PHONY: test
test: setup-test asterisk databases etcd axe schemathesis pjsua lint ## Run every check and test
	cargo test --package presence
	cargo test $(PURE) --lib --test house --test board_texts
	cargo test $(PURE) --features loom --lib models
	@$(MAKE) --no-print-directory build-private
	@$(QUICKLY) $(MAKE) --no-print-directory build-selftest
	$(MODULES) cargo test $(PURE) --features in-asterisk --test asterisk -- --test-threads=$(THREADS)

.PHONY: screenshots
screenshots: setup-test axe build-private ## Take new pictures of the board for the README
	USERPRESENCE_MODULE=$(PRIVATE) SCREENSHOTS=doc/images \
		cargo test $(PURE) --features in-asterisk --test asterisk -- \
		board::looks::looks board_settings::looks board_administration::looks

.PHONY: bench
bench: build-private build-selftest ## Measure the module against stock Asterisk
	$(MODULES) cargo bench $(PURE) --features in-asterisk --bench speed

.PHONY: valgrind
valgrind: setup-test build-selftest ## Look for wrong use of memory and leaks with valgrind
	@tests/asterisk/valgrind.sh target/valgrind $(ROOT) $(SELFTEST) phones_alive

.PHONY: lint
lint: asterisk ## Check format, clippy, documentation and licences
	@tests/setup.sh build
	cargo fmt --all --check
	$(FOR_PRIVATE) cargo clippy --workspace --all-targets --all-features -- -D warnings
	$(FOR_PRIVATE) RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	@if cargo deny --version >/dev/null 2>&1; \
	then cargo deny --all-features check bans licenses sources; \
	else echo 'Licences are not checked: cargo-deny is not installed'; fi

.PHONY: clean
clean: ## Remove everything that was built and unpacked
	cargo clean
	rm -rf target

# --- install ---------------------------------------------------------------

# The scripts find Asterisk and its directories. Variables on the command line, such as
# MODULES_DIR, reach them in the environment.

# Builds the module only if it is absent: `sudo make install` then needs no cargo. A build for
# another Asterisk is not installed.
.PHONY: install
install: ## Install into this machine's Asterisk, if the module was built for it
	@test -e $(MODULE) || $(if $(DESTDIR),$(MAKE) --no-print-directory build,install/rebuild.sh $(MODULE) --build)
	@install/install.sh install $(MODULE)

.PHONY: rebuild
rebuild: ## After an upgrade of Asterisk: build for it and install, with sudo
	@install/rebuild.sh $(MODULE)

.PHONY: uninstall
uninstall: ## Remove what install has put there, but userpresence.conf (PURGE=yes: that too)
	@install/install.sh uninstall
