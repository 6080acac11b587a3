#!/usr/bin/env bash
# A backup key server: the same master key from two parts, key labels moved with EXPORT and KEYXFER, a fail-over.
# Expected: a token from a server with another master key is refused with KLM0950E; the volume written with the first server is read
# with the second, while the first is stopped.
# shellcheck source=examples/common.sh
. "$(dirname "$0")/common.sh"
label=Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20
tool() { quietly at "$1" "$2" -c "$1/etc/ISKLMConfig.properties.zos" "$3"; echo "  $2 \"$3\""; }

say "The first server"
testserver start "$work/one" server.id=ONE || die "no first server"

say "The second: a master key of the same two parts, its own store"
quietly klmsrv --split-master "$work/one/masterkey/masterkey.sealed" "$work/part1" "$work/part2"
KLM_MASTER_PARTS="$work/part1 $work/part2" testserver prepare "$work/two" server.id=TWO || die "no second server"
rm -f "$work/part1" "$work/part2"

say "Out of the first"
tool "$work/one" racdcert "CERTAUTH EXPORT(LABEL('MyLocalRACFCA')) DSN('TAPEKMS.CA.CERT') FORMAT(CERTDER)"
tool "$work/one" keyxfer "WRITE,LOCAL.RACF.CERTAUTH,CRYPTOR2.CCATEST.PARMS(CA)"
tool "$work/one" racdcert "ID(TAPEKMS) EXPORT(LABEL('$label')) DSN('TAPEKMS.LBL20.PUBKEY') FORMAT(CERTDER)"
tool "$work/one" keyxfer "WRITE,ITOPS.KLM20.CERT,CRYPTOR2.CCATEST.PARMS(KLM20)"
quietly at "$work/one" oper "F ISKLM,APPL='export -drivetab -url FILE:drives'"

say "Nobody with another master key can use the token"
testserver prepare "$work/other" || die "no other server"
cp -r "$work/one/files/CRYPTOR2.CCATEST.PARMS" "$work/other/files/"
at "$work/other" keyxfer -c "$work/other/etc/ISKLMConfig.properties.zos" "READ,ITOPS.KLM20.CERT,CRYPTOR2.CCATEST.PARMS(KLM20)" >"$work/said" 2>&1 &&
    die "the token was taken"
grep KLM0950E "$work/said" || die "the token was refused for another reason"

say "Into the second: tokens, certificates, ring"
cp -r "$work/one/files/." "$work/two/files/"
tool "$work/two" racdcert "ID(TAPEKMS) ADDRING(KeyStore4758)"
tool "$work/two" keyxfer "READ,LOCAL.RACF.CERTAUTH,CRYPTOR2.CCATEST.PARMS(CA)"
tool "$work/two" racdcert "CERTAUTH ADD('TAPEKMS.CA.CERT') WITHLABEL('MyLocalRACFCA') PCICC(LOCAL.RACF.CERTAUTH)"
tool "$work/two" keyxfer "READ,ITOPS.KLM20.CERT,CRYPTOR2.CCATEST.PARMS(KLM20)"
tool "$work/two" racdcert "ID(TAPEKMS) ADD('TAPEKMS.LBL20.PUBKEY') TRUST WITHLABEL('$label') PCICC(ITOPS.KLM20.CERT)"
tool "$work/two" racdcert "ID(TAPEKMS) CONNECT(CERTAUTH LABEL('MyLocalRACFCA') RING(KeyStore4758))"
tool "$work/two" racdcert "ID(TAPEKMS) CONNECT(LABEL('$label') RING(KeyStore4758))"
tool "$work/two" racdcert "ID(TAPEKMS) GENCERT SUBJECTSDN(CN('ISKLM backup')) WITHLABEL('ISKLM_Server') NISTECC SIZE(256) ROLE(SERVER) ALTNAME(DOMAIN('localhost') IP(127.0.0.1)) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))"
tool "$work/two" racdcert "ID(TAPEKMS) CONNECT(LABEL('ISKLM_Server') RING(KeyStore4758) DEFAULT)"
testserver run "$work/two" || die "the second server does not start"
quietly at "$work/two" oper "F ISKLM,APPL='import -merge -drivetab -url FILE:drives'"

say "The host knows both"
# shellcheck disable=SC1091,SC2153
{
    (. "$work/one/env" && echo "EKM PRIMARY=127.0.0.1:$KLM_TCP_PORT")
    (. "$work/two/env" && echo "EKM SECONDARY=127.0.0.1:$KLM_TCP_PORT")
} | tee "$work/IECIOS00"
export KLM_IECIOS=$work/IECIOS00 KLM_DRIVE=$work/one/drive
iosdrive display --verify=ALL || die "display"

say "Written with the first, read with the second while the first is stopped"
head -c 1000000 /dev/urandom >"$work/data"
iosdrive write -v WXY662 --kl1 "$label" "$work/WXY662.aws" "$work/data" || die "write"
at "$work/one" oper "P ISKLM" || die "P ISKLM"
testserver stop "$work/one"
iosdrive read "$work/WXY662.aws" "$work/back" || die "read"
cmp "$work/data" "$work/back" || die "what was read is not what was written"
echo "EXAMPLE OK: the backup server read what was written with the first"
