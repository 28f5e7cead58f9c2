# Builds, shows, tests and installs res_userpresence.so. `make help` lists what
# there is; two of them do everything: `make demo` and `make test`.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One step after the other: cargo uses every core by itself.
.NOTPARALLEL:

# Where cargo builds, and the private Asterisk that tests and demo run.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
ROOT := target/asterisk/22
FILE := res_userpresence.so

# The module for whoever asked: `make build`, `make install`.
MODULE := $(TARGET)/release/$(FILE)
# The module for the private Asterisk. The same, unless there are other headers.
PRIVATE := $(TARGET)/private/$(FILE)
SELFTEST := $(TARGET)/selftest/$(FILE)

# build.rs looks in /usr/include and then in the private Asterisk. Where one of
# the first two of these is, the private Asterisk needs a build of its own.
OTHER_HEADERS := $(ASTERISK_INCLUDE)$(wildcard /usr/include/asterisk.h)
FOR_PRIVATE := $(if $(OTHER_HEADERS),ASTERISK_INCLUDE=$(ROOT)/usr/include)

PURE := --no-default-features
# Which builds the tests in Asterisk are to load.
MODULES := USERPRESENCE_MODULE=$(PRIVATE) USERPRESENCE_SELFTEST_MODULE=$(SELFTEST)

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' Makefile | expand -t 12
	@echo
	@echo 'make build ASTERISK_INCLUDE=DIR   for the Asterisk whose asterisk.h is in DIR'
	@echo 'make install DESTDIR=DIR          below DIR, for a package'

.PHONY: setup
setup: ## Install missing tools (Debian packages)
	@tests/setup.sh build asterisk test

.PHONY: asterisk
asterisk: ## Unpack a private Asterisk 22 under target/asterisk
	@tests/setup.sh asterisk
	@tests/asterisk/unpack.sh $(ROOT)

.PHONY: axe
axe:
	@tests/asterisk/axe.sh target/axe

.PHONY: schemathesis
schemathesis:
	@tests/asterisk/schemathesis.sh target/schemathesis

.PHONY: build
build: $(if $(OTHER_HEADERS),,asterisk) ## Build target/release/res_userpresence.so
	@tests/setup.sh build
	cargo build --release
	@cp -f $(TARGET)/release/lib$(FILE) $(MODULE)
	@tests/built-for.sh $(MODULE) $(ROOT) '$(ASTERISK_INCLUDE)'

# For the private Asterisk, whatever other headers there are.
.PHONY: build-private
build-private: asterisk
	@tests/setup.sh build
	$(FOR_PRIVATE) cargo build --release
	@install -D -m 644 $(TARGET)/release/lib$(FILE) $(PRIVATE)

# The same with the test commands, in a profile of its own: cargo would take one
# build for the other where both have the same name in one place.
.PHONY: build-selftest
build-selftest: asterisk
	@tests/setup.sh build
	$(FOR_PRIVATE) cargo build --profile selftest --features selftest
	@cp -f $(TARGET)/selftest/lib$(FILE) $(SELFTEST)

.PHONY: demo
demo: setup build-private ## Show what the module does, in a private Asterisk
	@tests/demo/demo.sh $(ROOT) $(PRIVATE)

.PHONY: run
run: setup build-private ## Run a private Asterisk with the module, in the foreground
	@tests/demo/run.sh $(ROOT) $(PRIVATE)

.PHONY: test
test: setup asterisk axe schemathesis lint ## Everything that proves the project
	cargo test --package presence
	cargo test $(PURE) --lib
	@$(MAKE) --no-print-directory build-private build-selftest
	$(MODULES) cargo test $(PURE) --features in-asterisk --test asterisk

.PHONY: screenshots
screenshots: setup axe build-private ## Take the README's pictures of the board anew
	USERPRESENCE_MODULE=$(PRIVATE) SCREENSHOTS=doc/images \
		cargo test $(PURE) --features in-asterisk --test asterisk board::looks

.PHONY: bench
bench: setup build-private build-selftest ## Measure against stock, in one private Asterisk
	$(MODULES) cargo bench $(PURE) --features in-asterisk --bench speed

.PHONY: lint
lint: asterisk ## Check format, clippy, documentation and licences
	@tests/setup.sh build
	cargo fmt --all --check
	$(FOR_PRIVATE) cargo clippy --workspace --all-targets --all-features -- -D warnings
	$(FOR_PRIVATE) RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	@if cargo deny --version >/dev/null 2>&1; \
	then cargo deny --all-features check bans licenses sources; \
	else echo 'cargo-deny is not installed: licences are not checked'; fi

.PHONY: clean
clean: ## Remove what was built and unpacked
	cargo clean
	rm -rf target

# --- install ---------------------------------------------------------------

# What the installed Asterisk's own configuration says, else the usual place.
CONFIG_DIR ?= /etc/asterisk
said = $(firstword $(shell sed -n 's/^[[:blank:]]*$(1)[[:blank:]]*=>*[[:blank:]]*//p' \
	'$(CONFIG_DIR)/asterisk.conf' 2>/dev/null))
MULTIARCH = $(shell $(CC) -print-multiarch 2>/dev/null)
MODULES_DIR ?= $(or $(call said,astmoddir),$(firstword \
	$(wildcard /usr/lib/$(MULTIARCH)/asterisk/modules /usr/lib64/asterisk/modules) \
	/usr/lib/asterisk/modules))
DATA_DIR ?= $(or $(call said,astdatadir),$(firstword \
	$(wildcard /usr/share/asterisk) /var/lib/asterisk))

SAMPLE := configs/samples/userpresence.conf.sample
XML := doc/res_userpresence-en_US.xml

# It may hold hashes of passwords and secrets: it is readable for Asterisk alone, that is
# for whoever owns asterisk.conf, or else the folder. Only root may give files away; a
# package does so when it is installed.
define install_config
install -D -v -m 640 $(SAMPLE) '$(DESTDIR)$(CONFIG_DIR)/$(1)' && \
	if test "$$(id -u)" = 0; then \
		like='$(DESTDIR)$(CONFIG_DIR)/asterisk.conf'; \
		test -e "$$like" || like='$(DESTDIR)$(CONFIG_DIR)'; \
		chown --reference="$$like" '$(DESTDIR)$(CONFIG_DIR)/$(1)'; \
	fi
endef

# Built only where it is absent: `sudo make install` needs no cargo then.
.PHONY: install
install: ## Install into the Asterisk of this machine (DESTDIR, MODULES_DIR, CONFIG_DIR, DATA_DIR)
	@test -e $(MODULE) || $(MAKE) --no-print-directory build
	install -D -m 755 $(MODULE) '$(DESTDIR)$(MODULES_DIR)/$(FILE)'
	install -D -m 644 $(XML) '$(DESTDIR)$(DATA_DIR)/documentation/thirdparty/$(notdir $(XML))'
	@$(call install_config,userpresence.conf.sample)
	@if test -e '$(DESTDIR)$(CONFIG_DIR)/userpresence.conf'; then \
		echo 'kept $(DESTDIR)$(CONFIG_DIR)/userpresence.conf'; \
	else $(call install_config,userpresence.conf); fi
