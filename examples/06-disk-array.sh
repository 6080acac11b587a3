#!/usr/bin/env bash
# A disk array that asks for its key each time it is switched on: unlocked by the first key server, by the second while the first is down, and by its recovery key
# when none answers. The commands are those of the operator's guide, 2.5.
# Expected: each power on says who unlocked it (KLM1811I primary, KLM1811I secondary, KLM1814W recovery key), with no key server it is locked (KLM1813A, KLM1068E), and one
# officer's half of the recovery key opens nothing; the volume reads the same each time.
# shellcheck source=examples/common.sh
. "$(dirname "$0")/common.sh"
label1=Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20 label2=Tape_Sol_Tst_Shr_Pvt_2048_Lbl_21 serial=75DS80000001
export KLM_ARRAY=$work/array KLM_IECIOS=$work/IECIOS00
config() { echo "$1/etc/ISKLMConfig.properties.zos"; }
array() { echo "  iosdrive $*" >&2; iosdrive "$@"; }

# Power: the array is a process until it is switched off; wait for what it says.
power_on() { # MESSAGE [OPTION...]
    local i message=$1
    echo "  iosdrive array-poweron ${*:2}" >&2
    iosdrive array-poweron --retry 1 "${@:2}" >"$work/power" 2>&1 &
    power=$!
    for ((i = 0; i < 600; i++)); do
        grep "$message" "$work/power" && return 0
        kill -0 "$power" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/power" >&2
    kill "$power" 2>/dev/null
    die "no $message"
}
power_off() {
    array array-poweroff || die "array-poweroff"
    wait "$power"
}
same() { array array-read VOL1 "$work/back" && cmp "$work/data" "$work/back" || die "the volume is not what was written"; }

say "Two key servers; the second is a copy of the first, restored from a backup under a master key of its own"
testserver start "$work/one" server.id=ONE || die "no first server"
testserver start "$work/two" server.id=TWO || die "no second server"
(umask 077 && head -c 24 /dev/urandom | base64 >"$work/password")

say "The array makes its key; the key server signs its certificate and enters it as what it is"
array array-init --serial "$serial" --wwn 5005076303FFC001 "$KLM_ARRAY" || die "array-init"
cp "$KLM_ARRAY/drive.csr" "$work/one/files/ARRAY1.CSR"
quietly at "$work/one" racdcert "ID(TAPEKMS) GENCERT('ARRAY1.CSR') WITHLABEL('ARRAY1') ROLE(DRIVE) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))"
quietly at "$work/one" racdcert "ID(TAPEKMS) EXPORT(LABEL('ARRAY1')) DSN('ARRAY1.CERT') FORMAT(CERTB64)"
at "$work/one" oper "F ISKLM,APPL='adddrive -drivename $serial -kind DS8000 -rec1 $label1 -rec2 $label2 -cert ARRAY1.CERT'" || die "adddrive"
array install --cert "$work/one/files/ARRAY1.CERT" --ca "$work/one/files/CA.CERT" "$KLM_ARRAY" || die "install"

say "The backup key server gets its copy"
quietly at "$work/one" klmsrv --backup=copy --password-file="$work/password" "$(config "$work/one")"
testserver stop "$work/two"
quietly klmsrv --restore "$work/one/lib/backup/copy" --accept=foreign,older --password-file="$work/password" "$(config "$work/two")"
testserver run "$work/two" || die "the second server does not start"
# shellcheck disable=SC1091,SC2153
{
    (. "$work/one/env" && echo "EKM PRIMARY=127.0.0.1:$KLM_TCP_PORT")
    (. "$work/two/env" && echo "EKM SECONDARY=127.0.0.1:$KLM_TCP_PORT")
} | tee "$KLM_IECIOS"
iosdrive display --drive "$KLM_ARRAY" --verify=ALL || die "display"

say "Its encryption group, and the recovery key: shown once, in force when both officers typed it back"
array array-configure --group EG0001 || die "array-configure"
(umask 077 && array array-recovery create >"$work/shown") || die "array-recovery create"
(umask 077 && sed -n 's/^PART [12]: //p' "$work/shown" >"$work/paper") # what the two officers wrote down
array array-recovery --recovery "$work/paper" verify || die "array-recovery verify"

say "On, with a volume"
power_on "KLM1811I.*primary"
head -c 1000000 /dev/urandom >"$work/data"
array array-write VOL1 "$work/data" || die "array-write"
same
power_off

say "The first key server is down: the second one unlocks"
at "$work/one" oper "P ISKLM" || die "P ISKLM"
testserver stop "$work/one"
power_on "KLM1811I.*secondary"
same
power_off

say "None answers: it stays locked, and asks again"
testserver stop "$work/two"
power_on "KLM1813A.*KLM1068E"
array array-read VOL1 "$work/back" && die "a locked array gave a volume out"
power_off

say "The recovery key opens it; half of it does not"
(umask 077 && head -n 1 "$work/paper" >"$work/half")
array array-poweron --recovery "$work/half" >"$work/said" 2>&1 && die "one officer alone opened it"
cat "$work/said"
power_on "KLM1814W" --recovery "$work/paper"
same
array array-display || die "array-display"
power_off
echo "EXAMPLE OK: unlocked by the primary, the secondary and the recovery key"
