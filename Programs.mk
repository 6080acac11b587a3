# Programs: each has a main of its own under programs/ and the folders it is linked from.
PROGRAMS :=
PROGRAM_MAINS := $(wildcard programs/*.c)
ALL_FOLDERS := keymgr exchange keyring drivetable metadata smf parmlib store base

PROGRAMS += klmsrv oper racdcert keyxfer
klmsrv_MAIN   := programs/klmsrv.c
klmsrv_USES   := klmsrv console programs/lib $(ALL_FOLDERS)
oper_MAIN     := programs/oper.c
oper_USES     := console programs/lib $(ALL_FOLDERS)
racdcert_MAIN := programs/racdcert.c
racdcert_USES := console programs/lib $(ALL_FOLDERS)
keyxfer_MAIN  := programs/keyxfer.c
keyxfer_USES  := console programs/lib $(ALL_FOLDERS)

PROGRAMS += iosdrive
iosdrive_MAIN := programs/iosdrive.c
iosdrive_USES := ios parmlib exchange base
