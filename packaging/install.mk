# install and uninstall share one list of files (packaging/install.sh); dist packs what is committed.
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
SBIN_PROGRAMS := klmsrv klmpartner
PLACE = B='$(B)' DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' \
        PROGRAMS='$(PROGRAMS) $(SCRIPT_PROGRAMS)' SBIN_PROGRAMS='$(SBIN_PROGRAMS)' packaging/install.sh

install: all ## install programs, manuals, samples, systemd unit (DESTDIR, PREFIX)
	@$(PLACE) install
uninstall: ## remove what install installed; configuration and data stay
	@$(PLACE) uninstall

dist: ## pack the committed sources
	@mkdir -p $(B)
	git archive --format=tar --prefix=klmsrv-$(VERSION)/ HEAD | xz -9 >$(B)/klmsrv-$(VERSION).tar.xz
	@echo $(B)/klmsrv-$(VERSION).tar.xz
.PHONY: install uninstall dist
