# Debian 12 packages that a target needs. A target that needs some of them has $(call deps,GROUP ...) as an order-only
# prerequisite: a stamp named after the list, so that a later run costs nothing and a longer list is looked at again.
DEPS_BUILD    := gcc make libc6-dev libevent-dev libssl-dev libdb5.3-dev libzstd-dev libpopt-dev libedit-dev libxml2-dev libp11-kit-dev libjansson-dev
DEPS_CHECK    := chromium curl libcunit1-dev python3 openssl hercules python3-pykmip systemd procps diffutils man-db groff-base gcc util-linux syslog-ng-core syslog-ng-dev softhsm2 zstd opensc
DEPS_DEMO     := python3 openssl hercules
DEPS_DOCS     := man-db
DEPS_FUZZ     := clang libclang-rt-14-dev python3
DEPS_LINT     := clang-format clang-tidy cppcheck shellcheck python3
DEPS_VALGRIND := valgrind libc6-dbg util-linux
DEPS_COVERAGE := gcovr
DEPS_S390X    := gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user
DEPS_GROUPS   := BUILD CHECK DEMO DOCS FUZZ LINT VALGRIND COVERAGE S390X

# Sanitizer and coverage builds live below the first build folder and share its stamps.
DEPS_DIR ?= $(B)/.deps
deps = $(foreach g,$(1),$(DEPS_DIR)/$(g)-$(DEPS_SUM_$(g)))
define deps_rules
DEPS_SUM_$(1) := $(firstword $(shell echo '$(DEPS_$(1))' | cksum))
$(DEPS_DIR)/$(1)-$$(DEPS_SUM_$(1)):
	@tools/deps $(DEPS_$(1))
	@mkdir -p $$(@D) && touch $$@
endef
$(foreach g,$(DEPS_GROUPS),$(eval $(call deps_rules,$(g))))

deps: ## install the Debian packages for building and testing, when missing
	@tools/deps $(DEPS_BUILD) $(DEPS_CHECK)
deps-all: ## install the Debian packages of every target, when missing
	@tools/deps $(foreach g,$(DEPS_GROUPS),$(DEPS_$(g)))
.PHONY: deps deps-all
