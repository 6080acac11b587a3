#!/usr/bin/env bash
# One server, one drive, one key label: write a cartridge, look at it with other eyes, read it back.
# Expected: the cartridge lists one file with its labels, the text is not in it in clear, what is read is what was written.
# shellcheck source=examples/common.sh
. "$(dirname "$0")/common.sh"
label=Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20

say "A test server with a ring, an authority, key labels and a drive"
testserver start "$work/s" || die "no server"
at "$work/s" oper "F ISKLM,APPL='status'" || die "status"

say "The drive writes volume WXY662: a new data key, wrapped under the label"
for n in $(seq 20000); do echo "customer $n, a secret of ours"; done >"$work/data"
at "$work/s" iosdrive write -v WXY662 --kl1 "$label" "$work/WXY662.aws" "$work/data" || die "write"

say "What is on the cartridge"
at "$work/s" iosdrive list "$work/WXY662.aws" || die "list"
grep -aq "customer" "$work/WXY662.aws" && die "clear text on the cartridge"
echo "no clear text in $(stat -c %s "$work/WXY662.aws") bytes"

say "What the server knows about the volume"
at "$work/s" oper "F ISKLM,APPL='query -volser WXY662'" || die "query"

say "Read it back"
at "$work/s" iosdrive read "$work/WXY662.aws" "$work/back" || die "read"
cmp "$work/data" "$work/back" || die "what was read is not what was written"
echo "EXAMPLE OK: written under $label and read back identical"
