#!/usr/bin/env bash
# Is the audit log whole? check_audit.py recomputes its chain from smf/JOURNAL.md alone, with no code of the server.
# Expected: the log of the server checks; after one character of a copy is changed, and after one record is taken out, it does not.
# shellcheck source=examples/common.sh
. "$(dirname "$0")/common.sh"
check() { python3 "$(dirname "$0")/check_audit.py" "$@"; }

say "A server that has something to tell"
testserver start "$work/s" || die "no server"
quietly at "$work/s" iosdrive write -v AUD001 --kl1 Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20 "$work/AUD001.aws" /etc/os-release
quietly at "$work/s" oper "F ISKLM,APPL='modconfig -set -property drive.pending.max -value 50'"
at "$work/s" oper "F ISKLM,APPL='deletedrive -drivename 000000000042'" 2>/dev/null && die "there is no such drive"
quietly at "$work/s" oper "P ISKLM"
testserver stop "$work/s"
log=$work/s/log/audit/isklm_audit.log

say "The last record"
tac "$log" | sed '/:\[$/q' | tac

say "The chain of the whole log"
check "$log" || die "the chain is broken"

say "A forged copy"
sed '0,/result=unsuccessful/s//result=successful/' "$log" >"$work/forged"
cmp -s "$log" "$work/forged" && die "nothing was forged"
check "$work/forged" && die "the forgery was not found"

say "A copy without its third record"
awk '/^[A-Z].*:\[$/ { n++ } n != 3' "$log" >"$work/short"
check "$work/short" && die "the missing record was not found"

say "The journal, record for record, with the task down"
at "$work/s" klmsrv --verify "$work/s/etc/ISKLMConfig.properties.zos" || die "verify"
echo "EXAMPLE OK: the log is whole, and changes are found"
