# Tests, checks, fuzzers and measures.
SCENARIOS ?= $(wildcard tests/scenario/test_*.sh tests/scenario/test_*.py)
TESTS     ?=
RUN        = tests/run --build $(B) --only '$(TESTS)' $(RUN_FLAGS)
# Another build below this one, of the same sources.
build_in   = $(MAKE) --no-print-directory B=$(B)/$(1) DEPS_DIR=$(abspath $(DEPS_DIR))

# ---- Programs that only tests and tools use.
KILL_SRCS := tests/peers/secrets.c tests/kill/kxwriter.c tests/kill/session.c tests/kill/checkstore.c
TOOL_SRCS := tools/gendocs.c tools/genman.c tools/gencolumns.c tools/gensmf.c tools/gencomplete.c tests/power/sample.c tests/golden/makestore.c $(KILL_SRCS)
TOOL_OBJS  = $(TOOL_SRCS:%.c=$(B)/%.o)
$(B)/tools/gendocs: $(B)/tools/gendocs.o $(B)/tools/genman.o $(B)/tools/gencolumns.o $(B)/tools/gensmf.o $(B)/tools/gencomplete.o $(call libsof,smf)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
$(B)/power/sample: $(B)/tests/power/sample.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $<
# Preloaded into programs of any build, so without its sanitizer.
$(B)/power/record.so: tests/power/record.c $(B)/flags | $(call deps,BUILD)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(WARN) -O2 -g -fPIC -shared -Wl,-z,relro,-z,now -o $@ $< -ldl -lpthread
# Loaded by helpers of any build, in front of a token's library.
$(B)/peers/p11shim.so: tests/peers/p11shim.c $(B)/flags | $(call deps,BUILD)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(WARN) -O2 -g -fPIC -shared -isystem $(SYSROOT)/usr/include/p11-kit-1 -Wl,-z,relro,-z,now -o $@ $< -ldl
# Made once, on x86-64, and kept: the test is that what was made there opens everywhere and later.
$(B)/golden/makestore: $(B)/tests/golden/makestore.o $(call libsof,keyring drivetable metadata)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
golden-store: $(B)/golden/makestore ## make tests/golden/store anew, after a change of its format
	rm -rf tests/golden/store/clean tests/golden/store/killed
	$< tests/golden/store
	rm -f tests/golden/store/*/LOCK tests/golden/store/*/RESERVE
	chmod -R u=rwX,go=rX tests/golden/store
# What the tests of kills and of power loss need: a drive that keeps a list, a reader of what is left, a server that never syncs.
$(B)/kill/kxwriter: $(B)/tests/kill/kxwriter.o $(B)/tests/kill/session.o $(call libsof,exchange)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
$(B)/kill/checkstore: $(B)/tests/kill/checkstore.o $(call libsof,keymgr)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
# What a test of secrecy looks for: it opens what only the server can.
$(B)/peers/secrets: $(B)/tests/peers/secrets.o $(call libsof,keymgr)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
# Only two files know how to sync: they are built anew, and stand in front of the archives that hold them too.
NOSYNC_OBJS := $(B)/nosync/base/file.o $(B)/nosync/store/bdb_write.o
TOOL_OBJS   += $(NOSYNC_OBJS)
$(NOSYNC_OBJS): $(B)/nosync/%.o: %.c $(B)/flags | $(call deps,BUILD)
	@mkdir -p $(@D)
	$(call say,CC,'$< without syncs')
	$(Q)$(CC) $(ALLC) -DKLM_NO_SYNC -MMD -MP -c -o $@ $<
$(B)/nosync/bin/klmsrv: $(NOSYNC_OBJS) $(B)/$(klmsrv_MAIN:.c=.o) $(foreach f,$(klmsrv_USES),$(call libof,$(f)))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
# By another make, since the library may have been installed just before.
$(B)/plugins/tested: FORCE | $(call deps,CHECK)
	$(Q)+$(MAKE) --no-print-directory $(B)/plugins/evtlog.so
TEST_TOOLS := $(B)/plugins/tested $(B)/tools/gendocs $(B)/power/record.so $(B)/power/sample $(B)/kill/kxwriter $(B)/kill/checkstore $(B)/peers/secrets $(B)/peers/p11shim.so $(B)/nosync/bin/klmsrv

include tests/conformance/conformance.mk

# ---- Tests
check: all units $(TEST_TOOLS) | $(call deps,CHECK) ## build and run every test
	@$(RUN) $(UNITS) $(SCENARIOS)
check-units: units | $(call deps,CHECK) ## run the unit tests only
	@$(RUN) $(UNITS)
check-built: | $(call deps,CHECK) ## run the unit tests that build, while others do not
	-@+$(MAKE) -k --no-print-directory units
	@$(RUN) $$(ls $(UNITS) 2>/dev/null)
check-scenarios: all $(TEST_TOOLS) | $(call deps,CHECK) ## run the scenario tests only
	@$(RUN) $(SCENARIOS)

# The loops of two scenario tests, of which check has a sample: as long as one likes, nothing beside them.
LOOP = tests/run --build $(B) -j 1 -v --limit 86400
kill: all $(TEST_TOOLS) | $(call deps,CHECK) ## kill the server under load, KILLS times (1000); KILL_SEED=n for the same again
	@KILLS=$${KILLS:-$(or $(KILLS),1000)} $(LOOP) tests/scenario/test_kill.py
power: all $(TEST_TOOLS) | $(call deps,CHECK) ## power loss at every crash point of a recorded run; POWER_SECONDS=n for some, POWER_SEED=n
	@POWER_SECONDS=$${POWER_SECONDS:-$(or $(POWER_SECONDS),0)} $(LOOP) tests/scenario/test_power.py

# Nothing is preloaded before the sanitizer's own library unless the power rig does so on purpose.
# Freed memory is watched for a while, but not so much of it that tests of how much a server holds see nothing else.
export ASAN_OPTIONS  ?= quarantine_size_mb=16:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:verify_asan_link_order=0
export LSAN_OPTIONS  ?= suppressions=$(abspath tests/suppressions/lsan):print_suppressions=0
export UBSAN_OPTIONS ?= print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS  ?= halt_on_error=1:die_after_fork=0:second_deadlock_stack=1:suppressions=$(abspath tests/suppressions/tsan)
SANFLAGS := -fno-omit-frame-pointer -fno-sanitize-recover=all

# What the checks below repeat; CHECK=check-built UNIT_CHECK=check-built while parts of the tree do not build.
CHECK      ?= check
UNIT_CHECK ?= check-units
check-asan: ## run every test under AddressSanitizer
	$(Q)+$(call build_in,asan) SAN='-fsanitize=address $(SANFLAGS)' RUN_FLAGS='--slow 3' $(CHECK)
# Its checks hide from the compiler how large a number can be, so that it fears for texts that fit.
check-ubsan: ## run every test under UndefinedBehaviorSanitizer
	$(Q)+$(call build_in,ubsan) SAN='-fsanitize=undefined -Wno-format-truncation $(SANFLAGS)' RUN_FLAGS='--slow 3' $(CHECK)
check-tsan: ## run every test under ThreadSanitizer
	$(Q)+$(call build_in,tsan) SAN='-fsanitize=thread $(SANFLAGS)' RUN_FLAGS='--slow 5' $(CHECK)
# OpenSSL without carry-less multiplication: of a tag made with it valgrind does not see that all of it is set.
check-valgrind: | $(call deps,VALGRIND) ## run the unit tests under valgrind
	$(Q)+OPENSSL_ia32cap='~0x200000000' $(call build_in,valgrind) CFLAGS='-O1 -g -Wno-format-truncation' RUN_FLAGS='--slow 20 --wrapper "valgrind -q --error-exitcode=99 \
	    --leak-check=full --errors-for-leak-kinds=definite --vgdb=no --suppressions=tests/suppressions/valgrind"' $(UNIT_CHECK)

# Every folder and unit test for s390x, against Debian's s390x packages in a folder of their own, run under qemu-user.
S390X_ROOT = $(abspath $(B))/s390x-root
S390X_PACKAGES := libevent-dev libssl-dev libdb5.3-dev libzstd-dev libpopt-dev libedit-dev libxml2-dev libp11-kit-dev libjansson-dev libcunit1-dev
check-s390x: | $(call deps,S390X CHECK) ## cross-build for s390x and run the unit tests there (big-endian)
	$(Q)tools/foreign-root s390x $(S390X_ROOT) $(S390X_PACKAGES)
	$(Q)+QEMU_LD_PREFIX=$(S390X_ROOT) $(call build_in,s390x) ARCH=s390x SYSROOT=$(S390X_ROOT) CC='s390x-linux-gnu-gcc --sysroot=$(S390X_ROOT)' \
	    CFLAGS='-O2 -g -isystem $(S390X_ROOT)/usr/include -isystem $(S390X_ROOT)/usr/include/s390x-linux-gnu' \
	    LDFLAGS='-L$(S390X_ROOT)/usr/lib/s390x-linux-gnu -L$(S390X_ROOT)/lib/s390x-linux-gnu -Wl,-rpath-link,$(S390X_ROOT)/usr/lib/s390x-linux-gnu:$(S390X_ROOT)/lib/s390x-linux-gnu' \
	    RUN_FLAGS='--slow 10 --wrapper "qemu-s390x -L $(S390X_ROOT)"' $(UNIT_CHECK)

coverage: | $(call deps,COVERAGE) ## run every test and print which lines they reach
	$(Q)+$(call build_in,cov) CFLAGS='-O0 -g' SAN='--coverage -fprofile-update=atomic' RUN_FLAGS='--slow 3' $(CHECK)
	@mkdir -p $(B)/cov/report
	gcovr --root . --object-directory $(B)/cov $(foreach f,$(FOLDERS),--filter '$(f)/') --print-summary \
	    --sort-percentage --txt $(B)/cov/report/lines.txt --html-details $(B)/cov/report/index.html
	@cat $(B)/cov/report/lines.txt

# ---- What the sources must be like
C_SOURCES  = $(foreach f,$(FOLDERS) tests/power tests/kill tests/conformance tests/golden tests/fuzz tests/bench tools,$(wildcard $(f)/*.c)) $(wildcard tests/unit/*.c tests/unit/*/*.c tests/unit/*/*/*.c)
C_HEADERS  = $(foreach f,$(FOLDERS) tests/power tests/kill tests/conformance tests/fuzz tests/bench tools tests/unit,$(wildcard $(f)/*.h))
SCRIPTS    = .ci/run tests/conformance/fresh tools/testserver tools/deps tools/foreign-root packaging/install.sh packaging/klmsrv.bash-completion $(wildcard programs/*.sh tools/*.sh tests/*/*.sh examples/*.sh)
LINT_FILES ?= $(C_SOURCES)

check-layers: ## compare every include with the layers
	@tools/check_layers.py
check-banned: ## look for functions and words that have no place here
	@tools/check_banned.py
check-tables: ## look at the rows of every table
	@tools/check_tables.py
lint-format: | $(call deps,LINT)
	$(Q)clang-format --dry-run -Werror $(C_SOURCES) $(C_HEADERS)
TIDY_FLAGS = -std=c17 -D_GNU_SOURCE -I. -Itests/unit -I/usr/include/libxml2 -DKLM_VERSION='"$(VERSION)"'
lint-tidy: $(LINT_FILES:%.c=$(B)/tidy/%.ok)
# A file is looked at again when it, or what it includes, is younger than its last good report.
$(B)/tidy/%.ok: %.c .clang-tidy | $(call deps,LINT BUILD CHECK)
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(TIDY_FLAGS)
	@gcc -MM -MP -MT $@ -MF $(@:.ok=.d) $(TIDY_FLAGS) $< && touch $@
-include $(C_SOURCES:%.c=$(B)/tidy/%.d)
lint-cppcheck: | $(call deps,LINT)
	@mkdir -p $(B)/cppcheck
	$(Q)cppcheck --quiet --std=c17 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --cppcheck-build-dir=$(B)/cppcheck --suppressions-list=tests/suppressions/cppcheck -D_GNU_SOURCE -D__linux__ -D__x86_64__ \
	    '-DKLM_VERSION="$(VERSION)"' -I. -Itests/unit -j 2 $(LINT_FILES)
lint-scripts: | $(call deps,LINT)
	$(Q)shellcheck -x -S warning $(SCRIPTS)
lint: check-layers check-banned check-tables lint-format lint-cppcheck lint-scripts lint-tidy ## format, clang-tidy, cppcheck, shellcheck, layers, tables, banned functions

docs: $(B)/tools/gendocs ## write the manuals that come from tables
	tools/docs.sh $(B)/tools/gendocs docs
measure: ## print how long functions and files are, and what is documented and tested
	@tools/measure.py summary
longest: ## list the longest functions
	@tools/measure.py longest

# ---- Fuzzers: tests/fuzz/fuzz_X.c is one program, linked with the folders that it includes and what those may include.
FUZZ_SECONDS ?= 300
SMOKE_SECONDS ?= 5
FUZZ_SRCS  := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BINS  := $(FUZZ_SRCS:tests/fuzz/%.c=$(B)/bin/%)
FUZZ_BUILD  = $(call build_in,fuzz) CC=clang CFLAGS='-O1 -g' FUZZING=1 \
              SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
FUZZ_RUN    = tools/fuzz_run.py --build $(B)/fuzz --only '$(TESTS)'

ifeq ($(FUZZING),1)
TOOL_OBJS += $(FUZZ_SRCS:%.c=$(B)/%.o)
# The folders of a fuzzer are those whose headers it includes.
fuzz_folders = $(filter $(FOLDERS),$(shell sed -n 's|^#include "\([a-z0-9/]*\)/[a-z0-9_]*\.h".*|\1|p' $(1) | sort -u))
define fuzz_rules
$(1:tests/fuzz/%.c=$(B)/bin/%): $(B)/$(1:.c=.o) $(call libsof,$(call fuzz_folders,$(1)))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -fsanitize=fuzzer -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LIBS)
endef
$(foreach t,$(FUZZ_SRCS),$(eval $(call fuzz_rules,$(t))))
$(B)/tests/fuzz/%.o: EXTRA += -Wno-missing-prototypes
$(B)/planted.o: tests/fuzz/fuzz_planted.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(ALLC) -Wno-missing-prototypes -DKLM_PLANTED_BUG -c -o $@ $<
$(B)/bin/planted: $(B)/planted.o $(call libsof,base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
fuzz-programs: $(FUZZ_BINS) $(B)/bin/planted
endif

fuzz-build: | $(call deps,FUZZ)
	@+$(FUZZ_BUILD) fuzz-programs
fuzz-smoke: fuzz-build ## give each fuzzer a few seconds, and find a planted bug
	@$(FUZZ_RUN) --seconds $(SMOKE_SECONDS) --planted
fuzz: fuzz-build ## run the fuzzers, each FUZZ_SECONDS long; FUZZ_KEEP=1 keeps new inputs in the corpora
	@$(FUZZ_RUN) --seconds $(FUZZ_SECONDS) $(if $(FUZZ_KEEP),--keep)
fuzz-planted: fuzz-build ## check that a planted off-by-one is found
	@$(FUZZ_RUN) --planted-only

# ---- Shows and measures of the running server
demo: all | $(call deps,DEMO) ## show the whole path: two key servers, a drive, a cartridge
	@tools/demo.sh $(B)/bin
include tools/bench.mk
.PHONY: check check-built check-units check-scenarios check-asan check-ubsan check-tsan check-valgrind check-s390x coverage \
        check-layers check-banned check-tables lint lint-format lint-tidy lint-cppcheck lint-scripts docs measure longest \
        fuzz-programs fuzz-build fuzz-smoke fuzz fuzz-planted golden-store demo kill power
