#!/usr/bin/env bash
# A storage system with two KMIP key servers: encryption enabled, a new key prepared and committed, the second key server offline until it has a copy.
# Expected: after prepare and after commit the second key server is offline (ItemNotFound) until the backup of the first is restored there; a volume of before the
# rekey is read with the first key server stopped.
# shellcheck source=examples/common.sh
. "$(dirname "$0")/common.sh"
export KLM_SYSTEM=$work/system
system() { echo "  iosdrive system $*" >&2; iosdrive system "$@"; }
kmip_port() { at "$1" printenv KLM_KMIP_PORT; }

say "Two key servers"
testserver start "$work/one" server.id=ONE || die "no first server"
testserver start "$work/two" server.id=TWO || die "no second server"

say "The storage system is a client of the first: its certificate, in a device group"
system init -name SVC1 "$work/system" || die "init"
cp "$work/system/system.csr" "$work/one/files/SVC1.CSR"
at "$work/one" racdcert -c "$work/one/etc/ISKLMConfig.properties.zos" "ID(TAPEKMS) GENCERT('SVC1.CSR') WITHLABEL('SVC1') ROLE(CLIENT) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))" >"$work/said" || die "GENCERT"
at "$work/one" racdcert -c "$work/one/etc/ISKLMConfig.properties.zos" "ID(TAPEKMS) EXPORT(LABEL('SVC1')) DSN('SVC1.CERT') FORMAT(CERTB64)" >"$work/said" || die "EXPORT"
quietly at "$work/one" oper "F ISKLM,APPL='adddevicegroup -name SPECTRUM_VIRT -enableKMIPDelete true'"
quietly at "$work/one" oper "F ISKLM,APPL='addclient -name SVC1 -group SPECTRUM_VIRT -cert SVC1.CERT'"
system install -cert "$work/one/files/SVC1.CERT" -ca "$work/one/drive/ca.crt" || die "install"

# A copy of the first for the second: a backup that is restored there.
(umask 077 && head -c 24 /dev/urandom | base64 >"$work/password")
replicate() {
    quietly at "$work/one" klmsrv --backup="$1" --password-file="$work/password" "$work/one/etc/ISKLMConfig.properties.zos"
    testserver stop "$work/two"
    quietly klmsrv --restore "$work/one/lib/backup/$1" --accept=foreign,older --password-file="$work/password" "$work/two/etc/ISKLMConfig.properties.zos"
    testserver run "$work/two" || die "the second server does not start"
}

say "The first is its primary key server, the second has a copy"
system mkkeyserver -ip 127.0.0.1 -port "$(kmip_port "$work/one")" -name primary || die "mkkeyserver"
system chencryption -keyserver enable || die "enable"
system lsencryption || die "lsencryption"
replicate first
system mkkeyserver -ip 127.0.0.1 -port "$(kmip_port "$work/two")" -name second || die "mkkeyserver"
system lskeyserver | cut -c 1-70 || die "lskeyserver"
echo "a secret of before the rekey" | system write OLD || die "write"

say "A new key, in two steps"
system chencryption -keyserver newkey -key prepare || die "prepare"
system lsencryption | grep -x "keyserver_rekey prepared" || die "it is not prepared"
system lskeyserver | tee "$work/list" | cut -c 1-70
grep -Eq "second +offline .*ItemNotFound" "$work/list" || die "the second key server has the new key?"
system chencryption -keyserver newkey -key commit || die "commit"
system lsencryption | grep -x "keyserver_rekey no" || die "it is not committed"
echo "a secret of after the rekey" | system write NEW || die "write"

say "The second key server gets its copy"
replicate second
system lskeyserver | tee "$work/list" | cut -c 1-70
grep -c online "$work/list" | grep -qx 2 || die "not both are online"

say "What became of the keys"
system lskey || die "lskey"
system lsvolume || die "lsvolume"

say "Without the first key server"
at "$work/one" oper "P ISKLM" || die "P ISKLM"
testserver stop "$work/one"
system read OLD - | grep -x "a secret of before the rekey" || die "the volume of before"
system read NEW - | grep -x "a secret of after the rekey" || die "the volume of after"
echo "EXAMPLE OK: old and new key are at both key servers, and both volumes are readable"
