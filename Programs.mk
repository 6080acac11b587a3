# Programs: each has a main of its own under programs/ and the folders it is linked from.
PROGRAMS :=
PROGRAM_MAINS := $(wildcard programs/*.c)
ALL_FOLDERS := keymgr exchange keyring keyring/p11 profile drivetable metadata smf parmlib store kmip/codec kmip/registry base

PROGRAMS += klmsrv oper racf racdcert keyxfer
klmsrv_MAIN   := programs/klmsrv.c
klmsrv_USES   := klmsrv kmip/ops backup replication console programs/lib $(ALL_FOLDERS)
oper_MAIN     := programs/oper.c
oper_USES     := console programs/lib $(ALL_FOLDERS)
racdcert_MAIN := programs/racdcert.c
racdcert_USES := console programs/lib $(ALL_FOLDERS)
racf_MAIN     := programs/racf.c
racf_USES     := console programs/lib $(ALL_FOLDERS)
keyxfer_MAIN  := programs/keyxfer.c
keyxfer_USES  := console programs/lib $(ALL_FOLDERS)

# The PKCS#11 helper: the only program that a token's library is loaded into.
PROGRAMS += klmp11
klmp11_MAIN   := programs/klmp11.c
klmp11_USES   := keyring/p11/helper keyring/p11 programs/lib base

PROGRAMS += iosdrive
iosdrive_MAIN := programs/iosdrive.c
iosdrive_USES := ios parmlib exchange kmip/codec kmip/registry base

# Plug-ins: shared objects that are loaded when configured. Each is built only where its library is installed, and then the
# programs' target builds it too.
EVTLOG_HEADER := $(wildcard $(SYSROOT)/usr/include/syslog-ng/evtlog.h)
PLUGINS :=
ifneq ($(EVTLOG_HEADER),)
PLUGINS += evtlog.so
endif
EVTLOG_FLAGS = $(filter-out -fPIE,$(ALLC)) -fPIC -isystem $(SYSROOT)/usr/include/syslog-ng \
               $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I glib-2.0))
# Debian keeps the library in a folder of its own.
EVTLOG_LIBS  = -L$(SYSROOT)/usr/lib/syslog-ng -Wl,-rpath,/usr/lib/syslog-ng -levtlog
$(B)/plugins/evtlog.so: plugins/evtlog/evtlog.c smf/syslog_plugin.h $(B)/flags
	@mkdir -p $(@D)
	$(call say,PLUG,$@)
	$(Q)$(CC) $(EVTLOG_FLAGS) -shared -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodelete -o $@ $< $(EVTLOG_LIBS)
PLUGIN_FILES = $(addprefix $(B)/plugins/,$(PLUGINS))
all: $(PLUGIN_FILES)
plugins: $(PLUGIN_FILES) ## build the plug-ins whose libraries are installed
.PHONY: plugins

PROGRAMS += smfdump smf2log
smfdump_MAIN  := programs/smfdump.c
smfdump_USES  := smf/dump programs/lib smf base
smf2log_MAIN  := programs/smf2log.c
smf2log_USES  := smf/dump programs/lib smf base

PROGRAMS += kmipdump
kmipdump_MAIN := programs/kmipdump.c
kmipdump_USES := kmip/codec kmip/registry programs/lib base

# Programs that are scripts: copied as they are.
SCRIPT_PROGRAMS := klmpartner
$(B)/bin/%: programs/%.sh
	@mkdir -p $(@D)
	@install -m 755 $< $@
all: $(addprefix $(B)/bin/,$(SCRIPT_PROGRAMS))
