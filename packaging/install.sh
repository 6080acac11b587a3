#!/bin/sh
# Install, or uninstall, what `make install` installs: one list of files for both. Variables come from install.mk.
set -eu

verb=$1
bin=$PREFIX/bin sbin=$PREFIX/sbin share=$PREFIX/share lib=$PREFIX/lib
doc=$share/doc/klmsrv confdir=$SYSCONFDIR/isklm

# place MODE FILE TARGET
place()
{
    if [ "$verb" = uninstall ]; then
        rm -f "$DESTDIR$3"
    else
        install -D -m "$1" "$2" "$DESTDIR$3"
    fi
}

# The same, with the places of this installation filled in.
place_filled()
{
    filled=$(mktemp)
    sed -e "s|@SBINDIR@|$sbin|g; s|@CONFDIR@|$confdir|g" "$2" >"$filled"
    place "$1" "$filled" "$3"
    rm -f "$filled"
}

for program in $PROGRAMS; do
    if [ "$program" = klmp11 ]; then # nobody starts it but the others
        place 755 "$B/bin/$program" "$lib/klmsrv/$program"
        continue
    fi
    case " $SBIN_PROGRAMS " in
    *" $program "*) place 755 "$B/bin/$program" "$sbin/$program" ;;
    *) place 755 "$B/bin/$program" "$bin/$program" ;;
    esac
    place 644 packaging/klmsrv.bash-completion "$share/bash-completion/completions/$program"
done
# The plug-in, if it was built.
if [ "$verb" = uninstall ] || [ -e "$B/plugins/evtlog.so" ]; then
    place 644 "$B/plugins/evtlog.so" "$lib/klmsrv/evtlog.so"
fi
for page in docs/man/*.[1578]; do
    [ -e "$page" ] || continue
    place 644 "$page" "$share/man/man${page##*.}/${page##*/}"
done
for sample in parmlib/samples/* jcl-samples/*; do
    [ -f "$sample" ] || continue
    place 644 "$sample" "$doc/samples/${sample##*/}"
done
for manual in README.md LICENSE docs/*.md; do
    [ -f "$manual" ] || continue
    place 644 "$manual" "$doc/${manual##*/}"
done
place_filled 644 packaging/klmsrv.service.in "$lib/systemd/system/klmsrv.service"
place_filled 644 packaging/klmsrv.tmpfiles.in "$lib/tmpfiles.d/klmsrv.conf"
place 644 packaging/klmsrv.sysusers "$lib/sysusers.d/klmsrv.conf"

if [ "$verb" = uninstall ]; then
    # The folders of ours that are empty now.
    rmdir "$DESTDIR$doc/samples" "$DESTDIR$doc" "$DESTDIR$lib/klmsrv" 2>/dev/null || true
elif [ -z "$DESTDIR" ]; then
    echo "Now: systemd-sysusers; systemd-tmpfiles --create; put a configuration into $confdir (samples: $doc/samples);"
    echo "systemctl daemon-reload; systemctl enable --now klmsrv"
fi
