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
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1	\2/p' Makefile | expand -t 14
	@echo
	@echo 'make build ASTERISK_INCLUDE=DIR   build for the Asterisk whose asterisk.h is in DIR'
	@echo 'make test RELEASE=16              test in another of the releases $(RELEASES)'
	@echo 'make test ASTERISK_ROOT=DIR       test in the Asterisk that is installed below DIR'
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

# One build for both purposes, without optimisation: built in half a minute.
.PHONY: build-debug
build-debug: asterisk
	@tests/setup.sh build
	$(FOR_PRIVATE) cargo build --features selftest
	@install -D -m 644 $(TARGET)/debug/lib$(FILE) $(SELFTEST)
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
	@$(MAKE) --no-print-directory build-private & \
		$(MAKE) --no-print-directory test-pure; tested=$$?; wait $$! && exit $$tested
	@$(QUICKLY) $(MAKE) --no-print-directory build-selftest
	$(call test_in_asterisk)

# What needs no Asterisk. The release build goes on beside it: optimisation across crates uses one
# processor alone.
.PHONY: test-pure
test-pure:
	cargo test --package presence
	cargo test $(PURE) --lib --test house --test board_texts --test releases
	cargo test $(PURE) --features loom --lib models
	cargo test $(PURE) --features in-asterisk --test asterisk --no-run

.PHONY: test-releases
test-releases: ## Run every check and test in each release
	@for release in $(RELEASES); do \
		$(MAKE) --no-print-directory test RELEASE=$$release || exit; \
	done

# What depends on Asterisk's structures and interfaces, without what takes long.
MAIN := ari:: console:: extension_state:: function:: loading:: manager:: persistence:: \
	provider:: queues:: releases:: selftest::
# Of these every test needs SIP, which an Asterisk without pjproject lacks.
MAIN_WITH_SIP := devices:: lamps:: sip_presence:: stock
HAS_SIP = $(wildcard $(call found,modules)/chan_pjsip.so)

.PHONY: test-main
test-main: setup-tests build-debug ## Run the main tests, for another release (RELEASE)
	@$(if $(HAS_SIP),,echo '$(ROOT) has no SIP: left out are $(MAIN_WITH_SIP)')
	$(call test_in_asterisk,$(MAIN) $(if $(HAS_SIP),$(MAIN_WITH_SIP)))

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
	@tests/deb/root.sh --remove $(DEB_ROOT)
	rm -rf target

# --- package ---------------------------------------------------------------

DEB_DIR := target/deb
DEB_ROOT := target/deb-root/22

# dh_asterisk comes with Debian's headers: those installed or in use, or the private Asterisk's.
.PHONY: deb
deb: build $(if $(wildcard /usr/share/perl5/Debian/Debhelper/Sequence/asterisk.pm),,asterisk) ## Make a Debian package of the built module in target/deb
	@tests/setup.sh package
	debian/package $(MODULE) $(abspath $(DEB_DIR)) \
		$(if $(ASTERISK_INCLUDE),$(ASTERISK_INCLUDE)/..) $(ROOT)/usr

# The package of the build that the other tests use; the installed Debian takes a minute. To
# pack the symbols for debuggers takes longer than all the rest.
.PHONY: test-deb
ifneq ($(LABEL),22)
test-deb:
	@echo 'The Debian package is tested with Asterisk 22 alone'
else
test-deb: setup-test deb-root build-private ## Test the Debian package in a Debian whose Asterisk runs
	@tests/setup.sh package
	DEB_BUILD_OPTIONS=noautodbgsym \
		debian/package $(PRIVATE) $(abspath $(DEB_DIR)/test) $(ROOT)/usr
	USERPRESENCE_DEB=$$(echo $(abspath $(DEB_DIR))/test/asterisk-userpresence_*.deb) \
		USERPRESENCE_DEB_ROOT=$(abspath $(DEB_ROOT)/debian) \
		cargo test $(PURE) --features in-asterisk --test deb
endif

.PHONY: deb-root
deb-root:
	@tests/setup.sh asterisk
	@tests/deb/root.sh $(DEB_ROOT)

# --- source archive, rpm, arm64 --------------------------------------------

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
ARCHIVE = target/dist/res_userpresence-$(VERSION).tar.xz
# A clone of the repository has its history; an unpacked archive is that history's end.
CLONE := $(wildcard .git)

.PHONY: dist
dist: ## Make the source archive in target/dist, which builds with no network
	@packaging/dist.sh target/dist

.PHONY: test-dist
test-dist: asterisk ## Show that the source archive builds with no network, and load what it builds
ifdef CLONE
	@tests/setup.sh build
	@tests/dist.sh $(ROOT)/usr/include target/dist/test
	ASTERISK_ROOT=$(abspath $(ROOT)) USERPRESENCE_MODULE=$(abspath target/dist/test/$(FILE)) \
		cargo test $(PURE) --features in-asterisk --test asterisk -- \
		loading::module_show_describes_the_module loading::an_unload_publishes
else
	@echo 'The source archive is not tested: it is made from a clone of the repository'
endif

# Of rpm's own Asterisk, if it is one; otherwise for the private Asterisk, without a look at rpm's
# list of packages. RPM='NAME=VALUE ...' sets macros of the spec file.
.PHONY: rpm
rpm: $(if $(OTHER_HEADERS),,asterisk) dist ## Make an rpm package in target/rpm (RPM='asterisk=asterisk22 ...')
	@tests/setup.sh build rpm
	@packaging/rpm/build.sh $(ARCHIVE) target/rpm $(RPM_ASTERISK) $(RPM)

RPM_ASTERISK = $(if $(ASTERISK_INCLUDE),asterisk_include=$(abspath $(ASTERISK_INCLUDE)),\
	$(if $(OTHER_HEADERS),,asterisk_include=$(abspath $(ROOT)/usr/include) \
		asterisk_minor=$(shell tests/asterisk/root.sh $(ROOT) | \
			sed -n 's/^version=\([0-9]*\.[0-9]*\).*/\1/p')))

# The package of the build that the other tests use, in an rpm database of its own.
.PHONY: test-rpm
test-rpm: build-private ## Test the rpm package: what it holds, requires, keeps and removes
ifdef CLONE
	@tests/setup.sh rpm
	@COMPRESSION=0 packaging/dist.sh target/rpm/test
	@tests/rpm.sh target/rpm/test $(PRIVATE)
	ASTERISK_ROOT=$(abspath $(ROOT)) USERPRESENCE_MODULE=$(abspath target/rpm/test/$(FILE)) \
		USERPRESENCE_RPM=$(abspath target/rpm/test/asterisk-userpresence.rpm) \
		cargo test $(PURE) --features in-asterisk --test asterisk -- \
		rpm:: loading::module_show_describes_the_module
else
	@echo 'The rpm package is not tested: its archive is made from a clone of the repository'
endif

ARM64 := target/arm64
# What shows that pointers, characters and structures are those of the other machine.
ON_ARM64 := loading:: provider:: function:: combine:: lamps:: manager::the_list manager::set \
	persistence::every_answer unload::

# Not a part of `make test`: an emulated Asterisk takes ten times as long.
.PHONY: test-arm64
test-arm64: dist ## Build for arm64 with Debian's packages, and test it under qemu
	@tests/setup.sh asterisk
	@tests/arm64/unpack.sh $(ARM64)
	@tests/arm64/build.sh $(ARM64) $(ARCHIVE) $(ARM64)/$(FILE)
	ASTERISK_EMULATOR=$(abspath tests/arm64/qemu-aarch64) \
		ASTERISK_ROOT=$(abspath $(ARM64)/asterisk) USERPRESENCE_MODULE=$(abspath $(ARM64)/$(FILE)) \
		cargo test $(PURE) --features in-asterisk --test asterisk -- --test-threads=$(THREADS) $(ON_ARM64)

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
