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
test: setup-test asterisk databases etcd axe schemathesis pjsua cargo-deny lint ## Run every check and test
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
