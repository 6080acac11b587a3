#!/usr/bin/env bash
# The main job on real input: a primary and a secondary key server, a file tree of this machine archived straight onto an encrypted
# volume with two key labels, the primary stopped, the volume read back through the secondary and compared. Exit 0 only if all of it held.
# usage: demo.sh BIN_FOLDER [WORK_FOLDER]
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
export KLM_BIN
KLM_BIN=$(cd "$1" && pwd) || exit 2
work=${2:-$(mktemp -d "${TMPDIR:-/tmp}/klm-demo-XXXXXX")}
mkdir -p "$work" && work=$(cd "$work" && pwd)
primary=$work/primary secondary=$work/secondary third=$work/third
LABEL1=Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20 LABEL2=Tape_Sol_Tst_Shr_Pvt_2048_Lbl_21
LEAST_MB=100

finish() {
    [ -d "$third/run" ] && "$here/testserver" stop "$third"
    [ -d "$secondary/run" ] && "$here/testserver" stop "$secondary"
    [ -d "$primary/run" ] && "$here/testserver" stop "$primary"
    [ -n "${2:-}" ] || rm -rf "$work"
}
trap finish EXIT
step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { echo "demo: $*" >&2; exit 1; }
show() { echo "$ $*"; "$@" || die "failed: $*"; }
at() { # SERVER COMMAND...: with that server's environment
    local server=$1
    shift
    # shellcheck disable=SC1091
    (. "$server/env" && PATH=$KLM_BIN:$PATH && "$@")
}
racf() { echo "$ racdcert $2"; at "$1" racdcert -c "$1/etc/ISKLMConfig.properties.zos" "$2" >>"$work/log" 2>&1 || { tail -n 4 "$work/log" >&2; die "racdcert failed"; }; }
xfer() { echo "$ keyxfer $2"; at "$1" keyxfer -c "$1/etc/ISKLMConfig.properties.zos" "$2" >>"$work/log" 2>&1 || { tail -n 4 "$work/log" >&2; die "keyxfer failed"; }; }

# A backup of the primary, made while it serves, restored under another master key into a third folder; its server reads the volume, too.
third_server() {
    local config=etc/ISKLMConfig.properties.zos
    step "A backup of the primary while it serves, restored into a third folder with a master key of its own: its server reads the volume, too"
    (umask 077 && head -c 18 /dev/urandom | base64 >"$work/password")
    show "$KLM_BIN/klmsrv" --backup demo --password-file "$work/password" "$primary/$config"
    "$here/testserver" prepare "$third" server.id=THIRD "drive.default.alias1=" "drive.default.alias2=" || die "no third"
    show "$KLM_BIN/klmsrv" --restore "$primary/lib/backup/demo" --password-file "$work/password" --accept foreign "$third/$config"
    rm -f "$work/password"
    "$here/testserver" run "$third" || die "the third does not start"
    # shellcheck disable=SC1091
    (. "$third/env" && echo "EKM PRIMARY=127.0.0.1:$KLM_TCP_PORT") >"$work/IECIOS02"
    KLM_IECIOS=$work/IECIOS02 iosdrive read "$work/WXY662.aws" - | sha256sum >"$work/third.sha256" || die "the third cannot read"
    cmp "$work/written.sha256" "$work/third.sha256" || die "what the third read is not what was written"
    "$here/testserver" stop "$third"
}

step "A primary key server: key ring, authority, two key labels, a drive"
read -r admin_one admin_two < <(tools/free-port 2)
partner_ring=safkeyring://TAPEKMS/Partners
"$here/testserver" start "$primary" server.id=PRIMARY partner.role=primary "drive.default.alias1=" "drive.default.alias2=" \
    "Admin.ssl.port=$admin_one" "Admin.ssl.host=127.0.0.1" "Admin.ssl.keystore.name=$partner_ring" || die "no primary"
grep 'BPXM023I' "$primary/log/console" | tail -n 9

step "A secondary: its own store, its own sealed copy of the same master key, entered in two parts"
show "$KLM_BIN/klmsrv" --split-master "$primary/masterkey/masterkey.sealed" "$work/part1" "$work/part2"
KLM_MASTER_PARTS="$work/part1 $work/part2" "$here/testserver" prepare "$secondary" server.id=SECONDARY partner.role=secondary \
    "drive.default.alias1=" "drive.default.alias2=" "Admin.ssl.port=$admin_two" "Admin.ssl.host=127.0.0.1" \
    "Admin.ssl.keystore.name=$partner_ring" || die "no secondary"
rm -f "$work/part1" "$work/part2"

step "Each has a certificate as server and as partner; the authority signs on both"
racf "$primary" "CERTAUTH EXPORT(LABEL('MyLocalRACFCA')) DSN('TAPEKMS.CA.CERT') FORMAT(CERTDER)"
xfer "$primary" "WRITE,LOCAL.RACF.CERTAUTH,CRYPTOR2.CCATEST.PARMS(CA)"
cp -r "$primary/files/TAPEKMS.CA.CERT" "$primary/files/CRYPTOR2.CCATEST.PARMS" "$secondary/files/" || die "copy"
xfer "$secondary" "READ,LOCAL.RACF.CERTAUTH,CRYPTOR2.CCATEST.PARMS(CA)"
racf "$secondary" "CERTAUTH ADD('TAPEKMS.CA.CERT') WITHLABEL('MyLocalRACFCA') PCICC(LOCAL.RACF.CERTAUTH)"
racf "$secondary" "ID(TAPEKMS) ADDRING(KeyStore4758)"
racf "$secondary" "ID(TAPEKMS) CONNECT(CERTAUTH LABEL('MyLocalRACFCA') RING(KeyStore4758))"
racf "$secondary" "ID(TAPEKMS) GENCERT SUBJECTSDN(CN('ISKLM backup') O('MyCo') C('US')) WITHLABEL('ISKLM_Backup') PCICC(ISKLM.BACKUP.CERT) NISTECC SIZE(256) ROLE(SERVER) ALTNAME(DOMAIN('localhost') IP(127.0.0.1)) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))"
racf "$secondary" "ID(TAPEKMS) CONNECT(LABEL('ISKLM_Backup') RING(KeyStore4758) DEFAULT)"
for server in "$primary" "$secondary"; do
    name=$(basename "$server")
    racf "$server" "ID(TAPEKMS) ADDRING(Partners)"
    racf "$server" "ID(TAPEKMS) CONNECT(CERTAUTH LABEL('MyLocalRACFCA') RING(Partners))"
    racf "$server" "ID(TAPEKMS) GENCERT SUBJECTSDN(CN('$name') O('MyCo') C('US')) WITHLABEL('$name') PCICC(ISKLM.PARTNER.CERT) NISTECC SIZE(256) ROLE(PARTNER) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))"
    racf "$server" "ID(TAPEKMS) CONNECT(LABEL('$name') RING(Partners) DEFAULT)"
    racf "$server" "ID(TAPEKMS) EXPORT(LABEL('$name')) DSN('PARTNER.$name') FORMAT(CERTB64)"
done
cp "$primary/files/PARTNER.primary" "$secondary/files/" && cp "$secondary/files/PARTNER.secondary" "$primary/files/" || die "copy"
racf "$primary" "ID(TAPEKMS) ADD('PARTNER.secondary') WITHLABEL('secondary') TRUST"
racf "$primary" "ID(TAPEKMS) CONNECT(LABEL('secondary') RING(Partners) USAGE(PERSONAL))"
racf "$secondary" "ID(TAPEKMS) ADD('PARTNER.primary') WITHLABEL('primary') TRUST"
racf "$secondary" "ID(TAPEKMS) CONNECT(LABEL('primary') RING(Partners) USAGE(PERSONAL))"
"$here/testserver" run "$secondary" || die "the secondary does not start"
at "$primary" oper "F ISKLM,APPL='refreshks'" || die "refreshks"
show at "$primary" oper "F ISKLM,APPL='sync -drivetab -ipaddr 127.0.0.1:$admin_two'"

step "A drill before the key labels were moved: a volume of the primary would be lost"
# shellcheck disable=SC1091
(. "$primary/env" && echo "EKM PRIMARY=127.0.0.1:$KLM_TCP_PORT") >"$work/IECIOS01"
echo "written before" | KLM_IECIOS=$work/IECIOS01 KLM_DRIVE=$primary/drive "$KLM_BIN/iosdrive" write -v DRL001 --kl1 "$LABEL1" --kl2 "$LABEL2" "$work/DRL001.aws" - || die "write"
at "$primary" oper "F ISKLM,APPL='drill -partner 127.0.0.1:$admin_two'" | tee "$work/drill" && die "the drill did not end with 1"
grep -q 'KLM1323W 1 volumes are EXPOSED' "$work/drill" || die "the drill did not find the volume exposed"

step "The process of establishing a backup key server: only files made by EXPORT and KEYXFER move"
show at "$primary" klmpartner give
cp -r "$primary/files/KLM.PARTNER" "$secondary/files/" || die "copy"
show at "$secondary" klmpartner take

step "The drill after it: everything can be read there"
at "$primary" oper "F ISKLM,APPL='drill -partner 127.0.0.1:$admin_two'" | tee "$work/drill" || die "drill"
grep -q 'KLM1322I 0 volumes are exposed' "$work/drill" || die "the drill found something exposed"

step "The host's IECIOS00 names both"
iecios=$work/IECIOS00
# shellcheck disable=SC1091
{
    (. "$primary/env" && echo "EKM PRIMARY=127.0.0.1:$KLM_TCP_PORT")
    (. "$secondary/env" && echo "EKM SECONDARY=127.0.0.1:$KLM_TCP_PORT")
} >"$iecios"
cat "$iecios"
export KLM_IECIOS=$iecios KLM_DRIVE=$primary/drive PATH=$KLM_BIN:$PATH
show iosdrive display --verify=ALL

step "A real file tree, straight onto volume WXY662 with two key labels"
trees=() mb=0
for tree in usr/include usr/share/perl usr/share/doc usr/lib/gcc usr/share usr/lib usr/bin; do
    [ -d "/$tree" ] || continue
    trees=("$tree") mb=$(du -sm --apparent-size "/$tree" 2>/dev/null | cut -f1)
    [ "$mb" -ge "$LEAST_MB" ] && break
done
[ "$mb" -ge "$LEAST_MB" ] || die "no file tree of $LEAST_MB MB on this machine"
echo "/${trees[0]}: $mb MB in $(find "/${trees[0]}" -type f | wc -l) files"
mkfifo "$work/sum.fifo"
sha256sum <"$work/sum.fifo" >"$work/written.sha256" &
summer=$!
tar -C / --sort=name -cf - "${trees[0]}" 2>/dev/null | tee "$work/sum.fifo" |
    iosdrive write -v WXY662 --kl1 "$LABEL1" --enc1 L --kl2 "$LABEL2" --enc2 L --dsn PET.ENCY.PLX.TEST "$work/WXY662.aws" - || die "the write failed"
wait "$summer"
ls -l "$work/WXY662.aws"

step "What the primary knows: key usage and the audit record of the write"
at "$primary" oper "F ISKLM,APPL='query -volser WXY662'" | tee "$work/query"
tr '\n' ' ' <"$work/query" | grep -q "WXY662.*$LABEL1.*$LABEL2" || die "the volume is not in the key usage metadata"
for _ in $(seq 50); do
    grep -q 'Write Request.*WXY662' "$primary/log/audit/isklm_audit.log" && break
    sleep 0.1
done
awk '/^[A-Z].*:\[$/ { record = "" } { record = record $0 "\n" } /^  \]$/ { if (record ~ /Write Request.*WXY662/) printf "%s", record }' \
    "$primary/log/audit/isklm_audit.log" | tee "$work/audit"
grep -q 'result=successful' "$work/audit" || die "no audit record of the write"

third_server

step "The primary is stopped; the volume is read back through the secondary"
at "$primary" oper "P ISKLM" || die "P ISKLM"
# shellcheck disable=SC1091
pid=$(. "$primary/env" && echo "$KLM_PID")
for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
kill -0 "$pid" 2>/dev/null && die "the primary did not stop"
tail -n 2 "$primary/log/console"
iosdrive read "$work/WXY662.aws" - | tee "$work/back.tar" | sha256sum >"$work/read.sha256" || die "the read failed"
cmp "$work/written.sha256" "$work/read.sha256" || die "what was read is not what was written"
tar -C / --compare -f "$work/back.tar" || die "the archive differs from the file tree"
for _ in $(seq 50); do
    grep -q 'Read Request.*WXY662' "$secondary/log/audit/isklm_audit.log" && break
    sleep 0.1
done
grep -q 'Read Request.*WXY662' "$secondary/log/audit/isklm_audit.log" || die "the secondary did not audit the read"
files=$(tar -tf "$work/back.tar" | wc -l)
grep 'KLM1332W' "$secondary/log/console" || die "the secondary did not say that it serves"

step "For auditors: the primary's SMF data set, dumped, verified with the public certificate alone, and reported"
racf "$primary" "ID(TAPEKMS) EXPORT(LABEL('ISKLM_Server')) DSN('AUDIT.CERT') FORMAT(CERTB64)"
# shellcheck disable=SC1091
dataset=$(. "$primary/env" && echo "$KLM_SMF_DATASET")
cat >"$work/sysin" <<'SYSIN'
  INDD(DUMPIN,OPTIONS(DUMP))
  OUTDD(DUMPOUT,TYPE(83(6)))
SYSIN
cat "$work/sysin"
show smfdump --sysin "$work/sysin" --dd "DUMPIN=$dataset" --dd "DUMPOUT=$work/PRIMARY.SMF"
show smfdump --verify --from-start --certificate "$primary/files/AUDIT.CERT" "$work/PRIMARY.SMF"
smfdump --format json -o "$work/PRIMARY.JSON" "$work/PRIMARY.SMF" 2>>"$work/log" || die "smfdump to JSON"
number=$(grep -n '"WXY662"' "$work/PRIMARY.JSON" | grep -m 1 'key-create' | cut -d: -f1)
[ -n "$number" ] || die "no SMF record of the write"
show smfdump --print "$number" "$work/PRIMARY.SMF"
smf2log "$work/PRIMARY.SMF" -o "$work/PRIMARY.LOG" 2>>"$work/log" || die "smf2log"
cmp "$work/PRIMARY.LOG" "$primary/log/audit/isklm_audit.log" || die "smf2log does not give the text log back"
show smfdump --verify --certificate "$primary/files/AUDIT.CERT" "$work/PRIMARY.LOG" "$primary/log/audit/isklm_audit.log.checkpoints"
report=${KLM_DEMO_REPORT:-${TMPDIR:-/tmp}/klm-demo-report.html}
smfdump --report "$report" --replace --certificate "$primary/files/AUDIT.CERT" "$work/PRIMARY.SMF" 2>>"$work/log" || die "smfdump --report"
echo "Report for auditors: $report"
echo
echo "DEMO OK: $mb MB ($files entries) of /${trees[0]} went encrypted onto WXY662 under $LABEL1 and $LABEL2, audited by the primary (SMF data set verified), and came back identical through the secondary."
