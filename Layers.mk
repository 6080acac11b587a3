# Folders are layers: MAY_x lists the folders that x may include. The build links each unit test with just these,
# and `make check-layers` compares every #include with them.
FOLDERS := base kmip/registry kmip/codec parmlib smf smf/dump store exchange keyring/p11 keyring/p11/helper keyring profile drivetable metadata keymgr kmip/ops backup replication console klmsrv ios programs programs/lib

MAY_base       :=
MAY_parmlib    := base
MAY_kmip_registry := base
MAY_kmip_codec := kmip/registry base
MAY_smf        := base
MAY_smf_dump   := smf base
MAY_store      := base
MAY_exchange   := base
MAY_keyring_p11 := base
MAY_keyring_p11_helper := keyring/p11 base
MAY_keyring    := keyring/p11 kmip/registry store base
MAY_profile    := store base
MAY_drivetable := store base
MAY_metadata   := kmip/codec kmip/registry store base
MAY_keymgr     := exchange keyring keyring/p11 profile drivetable metadata smf parmlib store kmip/codec kmip/registry base
MAY_kmip_ops    := keymgr exchange keyring keyring/p11 profile drivetable metadata smf parmlib store kmip/codec kmip/registry base
MAY_backup     := keymgr exchange keyring keyring/p11 profile drivetable metadata smf parmlib store kmip/codec kmip/registry base
MAY_replication := keymgr exchange keyring keyring/p11 profile drivetable metadata smf parmlib store kmip/codec kmip/registry base
MAY_console    := keymgr parmlib base exchange keyring keyring/p11 profile drivetable metadata smf kmip/codec kmip/registry store
MAY_klmsrv     := kmip/ops backup console replication keymgr exchange keyring keyring/p11 profile drivetable metadata smf parmlib store kmip/codec kmip/registry base
MAY_ios        := parmlib exchange kmip/codec kmip/registry base
MAY_programs   := kmip/ops keyring/p11/helper kmip/codec kmip/registry klmsrv backup replication smf/dump ios console keymgr exchange keyring keyring/p11 profile drivetable metadata smf parmlib store base
MAY_programs_lib := programs backup smf/dump console keymgr exchange keyring keyring/p11 profile drivetable metadata smf parmlib store kmip/codec kmip/registry base
