# The benchmark: a load generator, the machine's ceilings, a filler of stores. BENCH_PAIRS, BENCH_SECONDS and the like: see docs/performance.md.
BENCH_OBJS := bench drive kxload ceiling ceiling_crypto ceiling_echo ceiling_store ceiling_token fillstore fillkeys backupbench bulkload kmipload kmipnull
TOOL_OBJS  += $(BENCH_OBJS:%=$(B)/tests/bench/%.o)
BENCH_BINS := $(B)/bench/kxload $(B)/bench/ceiling $(B)/bench/fillstore $(B)/bench/backupbench $(B)/bench/kmipload $(B)/bench/kmipnull
$(B)/bench/kxload: $(patsubst %,$(B)/tests/bench/%.o,kxload drive bench) $(call libsof,keyring exchange)
$(B)/bench/ceiling: $(patsubst %,$(B)/tests/bench/%.o,ceiling ceiling_crypto ceiling_echo ceiling_store ceiling_token bench)
$(B)/bench/kmipload: $(patsubst %,$(B)/tests/bench/%.o,kmipload bench) $(call libsof,kmip/codec)
$(B)/bench/kmipnull: $(patsubst %,$(B)/tests/bench/%.o,kmipnull bench) $(call libsof,kmip/codec)
$(B)/bench/fillstore: $(patsubst %,$(B)/tests/bench/%.o,fillstore fillkeys bench) $(call libsof,keyring drivetable metadata)
$(B)/bench/backupbench: $(patsubst %,$(B)/tests/bench/%.o,backupbench bulkload bench) $(call libsof,backup)
$(BENCH_BINS):
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
bench-programs: $(BENCH_BINS)
bench: all $(BENCH_BINS) | $(call deps,CHECK) ## measure speed against this machine's ceilings
	@tests/bench/bench.py $(B)
bench-quick: all $(BENCH_BINS) | $(call deps,CHECK) ## the same, short and with a small store
	@BENCH_PAIRS=1 BENCH_SECONDS=0.5 BENCH_DRIVES=5000 BENCH_EVENTS=50000 BENCH_KEYS=20000 BENCH_OBJECTS=2000 BENCH_IDLE=500 tests/bench/bench.py $(B)
.PHONY: bench bench-quick bench-programs
