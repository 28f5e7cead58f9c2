# Builds, shows, tests and installs res_userpresence.so. `make help` lists the targets;
# `make demo` and `make test` also install the tools that they need.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One target at a time: cargo uses every core by itself.
.NOTPARALLEL:

# The directory that cargo builds in, and the private Asterisk for the tests and the demo.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# The release of the private Asterisk, one of those that tests/asterisk/unpack.sh knows, and where
# it is. ASTERISK_ROOT names another Asterisk to test in: the DESTDIR or prefix that a source tree
# was installed into, or / for the one of this machine.
RELEASES := 22 16 22.11
RELEASE ?= 22
ROOT := $(or $(ASTERISK_ROOT),target/asterisk/$(RELEASE))
LABEL := $(if $(ASTERISK_ROOT),other,$(RELEASE))
FILE := res_userpresence.so

# The module that `make build` builds and `make install` installs.
MODULE := $(TARGET)/release/$(FILE)
# The module for the private Asterisk: the same one, unless other headers are in use.
PRIVATE := $(TARGET)/private/$(LABEL)/$(FILE)
SELFTEST := $(TARGET)/private/$(LABEL)/selftest/$(FILE)

# build.rs looks for headers in ASTERISK_INCLUDE, in /usr/include, then in the private
# Asterisk 22. If it finds any in the first two, the private Asterisk needs its own build; so does
# one of another release, and Debian's older ones the C library that they come with.
OTHER_HEADERS := $(ASTERISK_INCLUDE)$(wildcard /usr/include/asterisk.h)
found = $(shell tests/asterisk/root.sh $(ROOT) | sed -n 's/^$(1)=//p')
# An Asterisk without headers was built from a source tree, which has them.
no_headers = $(error $(ROOT) has no asterisk.h: ASTERISK_INCLUDE=DIR has to name its headers)
FOR_PRIVATE = $(if $(OTHER_HEADERS)$(filter-out target/asterisk/22,$(ROOT)),\
	ASTERISK_INCLUDE=$(or $(call found,include),$(ASTERISK_INCLUDE),$(no_headers)) \
	ASTERISK_SYSROOT=$(call found,sysroot))

PURE := --no-default-features
# The tests time nothing in the build for them, which takes half the time without optimisation
# across crates.
QUICKLY := CARGO_PROFILE_SELFTEST_LTO=off CARGO_PROFILE_SELFTEST_CODEGEN_UNITS=16
# Tests in Asterisk wait most of the time: one more at a time than there are processors.
THREADS := $(shell echo $$(($$(nproc) + 1)))
# The builds that the tests in Asterisk load.
MODULES := ASTERISK_ROOT=$(abspath $(ROOT)) \
	USERPRESENCE_MODULE=$(PRIVATE) USERPRESENCE_SELFTEST_MODULE=$(SELFTEST)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' Makefile | expand -t 14
	@echo
	@echo 'make build ASTERISK_INCLUDE=DIR   build for the Asterisk whose asterisk.h is in DIR'
	@echo 'make test RELEASE=16              test in another of the releases $(RELEASES)'
	@echo 'make test ASTERISK_ROOT=DIR       test in the Asterisk that is installed below DIR'
	@echo 'make install DESTDIR=DIR          install below DIR, for a package'

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
asterisk: ## Unpack a private Asterisk (RELEASE, 22 by default) under target/asterisk
ifdef ASTERISK_ROOT
	@tests/asterisk/root.sh $(ROOT) >/dev/null
else
	@tests/setup.sh asterisk
	@tests/asterisk/unpack.sh $(RELEASE) $(ROOT)
endif

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
	$(if $(OTHER_HEADERS),,$(FOR_PRIVATE)) cargo build --release
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
	@install -D -m 644 $(TARGET)/selftest/lib$(FILE) $(SELFTEST)

# Both without optimisation, for a first look at another release: built in a minute.
.PHONY: build-debug
build-debug: asterisk
	@tests/setup.sh build
	$(FOR_PRIVATE) cargo build --features selftest
	@install -D -m 644 $(TARGET)/debug/lib$(FILE) $(SELFTEST)
	$(FOR_PRIVATE) cargo build
	@install -D -m 644 $(TARGET)/debug/lib$(FILE) $(PRIVATE)

.PHONY: demo
demo: setup-demo build-private ## Show what the module does, in a private Asterisk
	@tests/demo/demo.sh $(ROOT) $(PRIVATE)

.PHONY: demo-cluster
demo-cluster: setup-demo etcd build-private ## Show three Asterisks that share their users through etcd
	@tests/demo/cluster.sh $(ROOT) target/etcd $(PRIVATE)

.PHONY: run
run: setup-demo build-private ## Run an office of thirty people in a private Asterisk, in the foreground
	@tests/demo/run.sh $(ROOT) $(PRIVATE)

.PHONY: setup-tests
setup-tests: setup-test asterisk databases etcd axe schemathesis pjsua

# Tests that mean nothing in the Asterisk at hand say so, and are counted.
SKIPPED := $(TARGET)/private/$(LABEL)/skipped.txt
define test_in_asterisk
@rm -f $(SKIPPED)
$(MODULES) USERPRESENCE_SKIPPED=$(SKIPPED) \
	cargo test $(PURE) --features in-asterisk --test asterisk -- --test-threads=$(THREADS) $(1)
@if test -s $(SKIPPED); then echo "$$(wc -l <$(SKIPPED)) tests were skipped:"; cat $(SKIPPED); fi
endef

.PHONY: test
test: setup-tests cargo-deny lint ## Run every check and test (RELEASE, 22 by default)
	cargo test --package presence
	cargo test $(PURE) --lib --test house --test board_texts --test releases
	cargo test $(PURE) --features loom --lib models
	@$(MAKE) --no-print-directory build-private
	@$(QUICKLY) $(MAKE) --no-print-directory build-selftest
	$(call test_in_asterisk)

.PHONY: test-releases
test-releases: ## Run every check and test in each release
	@for release in $(RELEASES); do \
		$(MAKE) --no-print-directory test RELEASE=$$release || exit; \
	done

# What depends on Asterisk's structures and interfaces, without what takes long.
MAIN := ari:: console:: devices:: extension_state:: function:: lamps:: loading:: manager:: \
	persistence:: provider:: queues:: releases:: selftest:: sip_presence:: stock

.PHONY: test-main
test-main: setup-tests build-debug ## Run the main tests, for another release (RELEASE)
	$(call test_in_asterisk,$(MAIN))

.PHONY: screenshots
screenshots: setup-test axe build-private ## Take new pictures of the board for the README
	$(MODULES) SCREENSHOTS=doc/images \
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
	@tests/deny.sh check target/cargo-deny

.PHONY: cargo-deny
cargo-deny:
	@tests/setup.sh test
	@tests/deny.sh prove target/cargo-deny

.PHONY: advisories
advisories: ## Fetch the list of known weaknesses of crates, and check the crates against it
	@tests/deny.sh advisories target/cargo-deny

.PHONY: clean
clean: ## Remove everything that was built and unpacked
	cargo clean
	rm -rf target

# --- install ---------------------------------------------------------------

# The directories come from the installed Asterisk's asterisk.conf, or are the usual ones.
CONFIG_DIR ?= /etc/asterisk
configured = $(firstword $(shell sed -n 's/^[[:blank:]]*$(1)[[:blank:]]*=>*[[:blank:]]*//p' \
	'$(CONFIG_DIR)/asterisk.conf' 2>/dev/null))
MULTIARCH = $(shell $(CC) -print-multiarch 2>/dev/null)
MODULES_DIR ?= $(or $(call configured,astmoddir),$(firstword \
	$(wildcard /usr/lib/$(MULTIARCH)/asterisk/modules /usr/lib64/asterisk/modules) \
	/usr/lib/asterisk/modules))
DATA_DIR ?= $(or $(call configured,astdatadir),$(firstword \
	$(wildcard /usr/share/asterisk) /var/lib/asterisk))

XML := doc/res_userpresence-en_US.xml
REST := doc/rest-api/userPresence.json

# $(call install_config,FROM,NAME): the configuration may hold hashes of passwords and
# secrets, so only Asterisk may read it, as the owner of asterisk.conf or, without that
# file, of the directory. Only root may change a file's owner; a package does so when it
# is installed.
define install_config
install -D -v -m 640 $(1) '$(DESTDIR)$(CONFIG_DIR)/$(2)' && \
	if test "$$(id -u)" = 0; then \
		like='$(DESTDIR)$(CONFIG_DIR)/asterisk.conf'; \
		test -e "$$like" || like='$(DESTDIR)$(CONFIG_DIR)'; \
		chown --reference="$$like" '$(DESTDIR)$(CONFIG_DIR)/$(2)'; \
	fi
endef

# Builds the module only if it is absent: `sudo make install` then needs no cargo. The
# samples stay samples; userpresence.conf, without an active line, never replaces a file.
.PHONY: install
install: ## Install into this machine's Asterisk (DESTDIR, MODULES_DIR, CONFIG_DIR, DATA_DIR)
	@test -e $(MODULE) || $(MAKE) --no-print-directory build
	install -D -m 755 $(MODULE) '$(DESTDIR)$(MODULES_DIR)/$(FILE)'
	install -D -m 644 $(XML) '$(DESTDIR)$(DATA_DIR)/documentation/thirdparty/$(notdir $(XML))'
	install -D -m 644 $(REST) '$(DESTDIR)$(DATA_DIR)/rest-api/$(notdir $(REST))'
	@$(foreach sample,$(wildcard configs/samples/*.sample),\
		$(call install_config,$(sample),$(notdir $(sample))) &&) true
	@if test -e '$(DESTDIR)$(CONFIG_DIR)/userpresence.conf'; then \
		echo 'kept $(DESTDIR)$(CONFIG_DIR)/userpresence.conf'; \
	else $(call install_config,configs/userpresence.conf,userpresence.conf); fi
