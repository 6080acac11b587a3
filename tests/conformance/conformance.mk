# The player of KMIP test cases, and its own test.
PLAYER_SRCS := $(filter-out tests/conformance/player.c,$(wildcard tests/conformance/*.c))
PLAYER_OBJS  = $(PLAYER_SRCS:%.c=$(B)/%.o)
TOOL_SRCS   += $(PLAYER_SRCS) tests/conformance/player.c
$(B)/conformance/player: $(B)/tests/conformance/player.o $(PLAYER_OBJS) $(call libsof,kmip/codec)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
TEST_TOOLS  += $(B)/conformance/player
UNITS       += $(B)/unit/conformance/test_conformance
UNIT_SRCS   += tests/unit/conformance/test_conformance.c
$(B)/unit/conformance/test_conformance: $(B)/tests/unit/conformance/test_conformance.o $(B)/tests/unit/test.o $(PLAYER_OBJS) $(call libsof,kmip/codec)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcunit $(LIBS)

units: $(B)/unit/conformance/test_conformance

CASES ?= tests/golden/kmip
conformance: all $(B)/conformance/player | $(call deps,CHECK) ## play KMIP test cases: CASES=folder, VERSION_OF=1.4, CASE=name, TRACE=1
	@tests/conformance/conformance --build $(B) $(if $(VERSION_OF),--version $(VERSION_OF)) $(if $(CASE),--case $(CASE)) $(if $(TRACE),--trace) $(CASES)
.PHONY: conformance
