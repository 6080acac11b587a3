# klmsrv: everything is built under $(B), in parallel, from the folders that Layers.mk names. `make help` lists the targets.
# Makefile builds; tools/checks.mk tests, checks and measures; packaging/install.mk installs.
B       ?= build
PREFIX  ?= /usr
DESTDIR ?=
SAN     ?=
SYSROOT ?=
ARCH    ?= $(shell uname -m)
CFLAGS  ?= -O2 -g
VERSION := $(shell cat VERSION)

ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

WARN    := -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wno-format-nonliteral
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection
LHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifneq ($(filter x86_64 i686,$(ARCH)),)
HARDEN  += -fcf-protection
endif
# A sanitizer has its own versions of the functions that FORTIFY replaces.
ifeq ($(SAN),)
HARDEN  += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
ALLC     = $(WARN) $(HARDEN) $(CFLAGS) $(SAN) -I. -isystem $(SYSROOT)/usr/include/libxml2 -isystem $(SYSROOT)/usr/include/p11-kit-1 -DKLM_VERSION='"$(VERSION)"' $(EXTRA)
LIBS     = -levent_core -levent_pthreads -lssl -lcrypto -lzstd -ldb-5.3 -lpopt -ledit -lxml2 -ljansson -lpthread
LINK     = $(CC) $(LHARDEN) $(CFLAGS) $(SAN) $(LDFLAGS)

# V=1 shows whole commands.
Q   := $(if $(V),,@)
say  = $(if $(V),@:,@printf '  %-5s %s\n' $(1) $(2))

include Layers.mk
include Programs.mk
include tools/deps.mk

all: $(addprefix $(B)/bin/,$(PROGRAMS)) ## build every program
.DEFAULT_GOAL := all

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | sort | \
	    awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'
	@echo 'Variables: B (build folder), CC, CFLAGS, PREFIX, DESTDIR, TESTS (part of a test name), FUZZ_SECONDS, V=1.'

# The flags of the last build: when they change, everything is built anew.
$(B)/flags: EXTRA =
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(ALLC))' >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
FORCE:

$(B)/%.o: %.c $(B)/flags | $(call deps,BUILD)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALLC) -MMD -MP -c -o $@ $<

# One archive a folder.
objs  = $(patsubst %.c,$(B)/%.o,$(filter-out $(PROGRAM_MAINS),$(wildcard $(1)/*.c)))
libof = $(B)/lib/$(subst /,_,$(1)).a
may   = $(MAY_$(subst /,_,$(1)))
# A folder and all that it may include, as archives.
libsof = $(foreach f,$(sort $(1) $(foreach g,$(1),$(call may,$(g))) base),$(call libof,$(f)))

define lib_rules
$(call libof,$(1)): $(call objs,$(1)) | $(call deps,BUILD)
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcsD $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call lib_rules,$(f))))

define program_rules
$(B)/bin/$(1): $(B)/$(patsubst %.c,%.o,$($(1)_MAIN)) $(foreach f,$($(1)_USES),$(call libof,$(f)))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

# Unit tests: tests/unit/FOLDER/test_X.c becomes one program, linked with FOLDER and what it may include.
UNIT_SRCS := $(foreach f,$(FOLDERS),$(wildcard tests/unit/$(f)/test_*.c))
UNITS     := $(UNIT_SRCS:tests/unit/%.c=$(B)/unit/%)
$(B)/tests/%.o: EXTRA += -Itests/unit
# The tests of functions are compiled and linked once, and run for moments: less of an optimiser and a quicker linker save a third of a cold build's time. (What a
# sanitizer adds, the optimiser of the programs has to see: test_secrecy looks at the stack.)
$(B)/tests/unit/%.o: EXTRA += -Itests/unit $(if $(SAN),,$(if $(findstring -O2,$(CFLAGS)),-O1 $(if $(findstring clang,$(CC)),,-Wno-format-truncation)))
UNIT_LINK := $(if $(SAN)$(SYSROOT),,$(if $(shell command -v ld.gold),-fuse-ld=gold))
# By name: a pattern without a recipe would say nothing, and they were compiled while their packages were being installed.
$(UNIT_SRCS:%.c=$(B)/%.o) $(B)/tests/unit/test.o: | $(call deps,CHECK)
define unit_rules
$(B)/unit/$(1)/$(notdir $(2:.c=)): $(B)/$(2:.c=.o) $(B)/tests/unit/test.o $(call libsof,$(1))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) $$(UNIT_LINK) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group -lcunit $$(LIBS)
endef
$(foreach f,$(FOLDERS),$(foreach t,$(wildcard tests/unit/$(f)/test_*.c),$(eval $(call unit_rules,$(f),$(t)))))
units: $(UNITS) ## build every unit test

include tools/checks.mk
include packaging/install.mk

clean: ## remove what was built
	rm -rf $(B)

ALL_OBJS := $(foreach f,$(FOLDERS),$(call objs,$(f))) $(PROGRAM_MAINS:%.c=$(B)/%.o) $(UNIT_SRCS:%.c=$(B)/%.o) \
            $(B)/tests/unit/test.o $(TOOL_OBJS)
-include $(ALL_OBJS:.o=.d)
.PHONY: all help units clean FORCE
