#!/usr/bin/env bash
# A drive that nobody entered: refused and listed, then accepted by the operator.
# Expected: the first write fails with EKM=05EF01, listpending shows the drive, after acceptdrive the write is good.
# shellcheck source=examples/common.sh
. "$(dirname "$0")/common.sh"
label=Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20 serial=000007888423

say "A server with drive.acceptUnknownDrives=pending, and a new drive with a certificate of its authority"
testserver start "$work/s" || die "no server"
testserver drive "$work/s" "$work/drive2" "$serial" 500507630240FBCD || die "no drive"
export KLM_DRIVE=$work/drive2
write() {
    # shellcheck disable=SC1091
    (. "$work/s/env" && KLM_DRIVE=$work/drive2 && iosdrive write -v "$1" --kl1 "$label" "$work/$1.aws" /etc/os-release)
}

say "The drive is not in the table: refused"
write PND001 >"$work/refused" 2>&1 && die "an unknown drive was served"
cat "$work/refused"
grep -q 'EKM=05EF01' "$work/refused" || die "not refused with EF01"
iosdrive explain EKM=05EF01 || die "explain"

say "It waits for the operator, who compares serial number and WWN with the drive, and accepts it"
at "$work/s" oper "F ISKLM,APPL='listpending'" | tee "$work/pending"
grep -q "$serial" "$work/pending" || die "the drive is not on the list"
at "$work/s" oper "F ISKLM,APPL='acceptdrive -drivename $serial -rec1 $label'" || die "acceptdrive"
at "$work/s" oper "F ISKLM,APPL='listdrives -drivename $serial'" || die "listdrives"

say "Now it is served"
write PND001 || die "the accepted drive is refused"
echo "EXAMPLE OK: refused, listed, accepted, served"
