#!/usr/bin/env bash
# klmpartner: the process that establishes a backup key server, as one command on each side. "give" writes every certificate of a key ring,
# the private key tokens behind them, and the stored keys and key groups of LTO drives into one folder with a manifest, "take" brings them
# into another server. It only gives the
# commands that an operator would give (racdcert, keyxfer, oper), and says each step and what became of it.
set -u -o pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "$0")" && pwd)
PATH=$here:$PATH

usage() {
    cat <<'USAGE'
Usage: klmpartner give [-c FILE] [-r OWNER/RING] [-d FOLDER] [--with-authority] [--with-default]
       klmpartner take [-c FILE] [-d FOLDER]
give   on the server that has the keys: certificates and key tokens of a key ring, all stored keys (LTO) and key groups into a folder, with
       a manifest
take   on the backup server: the same into its key ring and store; what is there already stays, so it can be repeated
  -c FILE           configuration (default: $KLM_CONFIG, else /etc/isklm/ISKLMConfig.properties.zos)
  -r OWNER/RING     key ring to give (default: that of config.keystore.file)
  -d FOLDER         folder below that of the operators' files (default: KLM.PARTNER)
  --with-authority  also the private keys of authorities, so that the backup server can sign
  --with-default    also the ring's default certificate, which is the server's own for TLS
  -h, --help        this
  -V, --version     print the version
Both servers have the same master key. Exit status: 0 done, 1 failed, 2 wrong usage.
USAGE
}

# Messages stand in base/msg.def, like those of all programs: identifier, text, and what to do.
die() { # IDENTIFIER TEXT WHAT-TO-DO
    printf '%s %s\n  %s\n' "$1" "$2" "$3" >&2
    exit 1
}
refused() { die KLM1340E "$1: $(explain)" "Mend what the message names and give klmpartner again: what is done already is passed over."; }
no_give() { die KLM1341E "Nothing can be given: $1" "Correct what is named, or name another ring with -r; give it as the user of the task."; }
no_folder() { die KLM1342E "$1 is missing or damaged. Nothing was changed" "Copy the whole folder that klmpartner give made again, in binary, to the folder of console.files.directory."; }
another() { die KLM1343E "There is another $1 here. Nothing was changed" "Find out which one is needed; give one of them another name (racdcert ALTER NEWLABEL) where no volume was written with it, or make this server anew."; }
wrong() { echo "klmpartner: $*" >&2; usage >&2; exit 2; }
step() { printf '%-8s %s\n' "$1" "$2"; }

# What a tool said last, without the empty line at its end.
said=
tool() {
    said=$("$@" 2>&1)
    local status=$?
    return $status
}
racf() { tool racdcert -c "$config" "$1"; }
xfer() { tool keyxfer -c "$config" "$1"; }
explain() { echo "${said%%$'\n'*}"; }
sum_of() { sha256sum <"$1" | cut -d' ' -f1; }

property() { sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*//p" "$config" | sed 's/\\\(.\)/\1/g' | tail -n 1; }

files_folder() {
    local folder
    folder=$(property console.files.directory)
    echo "${folder:-$(dirname "$config")/files}"
}

# ---- give

# Connections of the ring as lines: owner, usage, default, label. The listing's columns stand where its header says.
connections() {
    local line label_at owner_at usage_at default_at header=
    racf "ID($owner) LISTRING($ring)" || refused "the key ring"
    while IFS= read -r line; do
        case $line in
        "Ring Owner "*)
            header=${line%%Certificate Label*} label_at=${#header}
            header=${line%%Cert Owner*} owner_at=${#header}
            header=${line%%USAGE*} usage_at=${#header}
            header=${line%%DEFAULT*} default_at=${#header} ;;
        "$owner "*)
            [ -n "$header" ] || continue
            printf '%s\t%s\t%s\t%s\n' "$(trim "${line:owner_at:usage_at-owner_at}")" "$(trim "${line:usage_at:default_at-usage_at}")" \
                "$(trim "${line:default_at}")" "$(trim "${line:label_at:owner_at-label_at}")" ;;
        esac
    done <<<"$said"
}
trim() {
    local text=$1
    text=${text%"${text##*[![:space:]]}"}
    echo "$text"
}
id_of() { if [ "$1" = CERTAUTH ] || [ "$1" = SITE ]; then echo "$1"; else echo "ID($1)"; fi; }

# The token label of a certificate, "-" without one.
token_of() {
    racf "$(id_of "$1") LIST(LABEL('${2//\'/\'\'}'))" || refused "certificate $2 of $1"
    local token
    token=$(sed -n 's/^ *Private Key Label (PCICC) *: //p' <<<"$said" | head -n 1)
    case $token in "" | -) echo - ;; *) echo "$token" ;; esac
}

give_one() { # NUMBER OWNER USAGE DEFAULT LABEL
    local n=$1 owner_of=$2 usage=$3 default=$4 label=$5 token member=-
    racf "$(id_of "$owner_of") EXPORT(LABEL('${label//\'/\'\'}')) DSN('$set_name(C$n)') FORMAT(CERTDER)" || refused "EXPORT of $label"
    step "done" "EXPORT   $label of $owner_of"
    token=$(token_of "$owner_of" "$label") || exit 1
    if [ "$token" != - ] && { [ "$owner_of" != CERTAUTH ] || [ -n "$with_authority" ]; }; then
        member=K$n
        xfer "WRITE,$token,$set_name($member)" || refused "KEYXFER WRITE of $token"
        step "done" "KEYXFER  WRITE $token"
    fi
    [ "$member" = - ] && token=-
    printf 'Cert: C%s %s %s %s %s %s %s %s %s\n' "$n" "$owner_of" "$usage" "$default" "$(sum_of "$folder/C$n")" "$member" \
        "$([ "$member" = - ] && echo - || sum_of "$folder/$member")" "$token" "$label" >>"$manifest.new"
}

# Stored keys, so many in a file, each behind the last of the file before; then the key groups, if there are any.
give_stored() {
    local n=0 last='' keys
    while :; do
        xfer "WRITEKEYS,$set_name(S$((n + 1)))${last:+,$last}" || refused "KEYXFER WRITEKEYS"
        keys=${said%% *}
        [ "$keys" != 0 ] || break
        n=$((n + 1))
        last=$(sed -n '1s/^[0-9]* stored keys up to \(.*\) were written to .*/\1/p' <<<"$said")
        [ -n "$last" ] || refused "KEYXFER WRITEKEYS"
        printf 'Keys: S%s %s %s\n' "$n" "$(sum_of "$folder/S$n")" "$keys" >>"$manifest.new"
        step "done" "KEYXFER  WRITEKEYS $keys stored keys up to $last"
    done
    rm -f "$folder/S$((n + 1))"
    xfer "WRITEGROUPS,$set_name(GROUPS)" || refused "KEYXFER WRITEGROUPS"
    if [ -s "$folder/GROUPS" ]; then
        printf 'Groups: GROUPS %s\n' "$(sum_of "$folder/GROUPS")" >>"$manifest.new"
        step "done" "KEYXFER  WRITEGROUPS"
    else
        rm -f "$folder/GROUPS"
    fi
}

give() {
    local list n=0 owner_of usage default label pattern
    if [ -z "$ring" ]; then
        ring=$(property config.keystore.file)
        ring=${ring#*://} ring=${ring#/}
        [[ $ring == */* ]] || no_give "config.keystore.file names no key ring"
    fi
    owner=${ring%%/*} ring=${ring#*/}
    list=$(connections) || exit 1
    [ -n "$list" ] || no_give "key ring $ring of $owner has no certificates"
    (umask 077 && mkdir -p "$folder") || no_give "folder $folder cannot be made"
    : >"$manifest.new" || no_give "$manifest.new cannot be written"
    while IFS=$'\t' read -r owner_of usage default label; do
        if [ "$default" = YES ] && [ -z "$with_default" ]; then
            step stays "$label of $owner_of: the server's own"
            continue
        fi
        n=$((n + 1))
        give_one "$n" "$owner_of" "$usage" "$default" "$label"
    done <<<"$list"
    give_stored
    pattern=$(sed -n 's/^Verification-Pattern: //p' "$folder"/K* "$folder"/S* 2>/dev/null | sort -u)
    [ -n "$pattern" ] || no_give "no certificate of the ring has a private key here, and there are no stored keys"
    {
        printf 'KLM-PARTNER 1\nRing: %s %s\nVerification-Pattern: %s\n' "$owner" "$ring" "$pattern"
        cat "$manifest.new"
    } >"$manifest.all" && printf 'SHA-256: %s\n' "$(sum_of "$manifest.all")" >>"$manifest.all" || no_give "$manifest cannot be written"
    rm -f "$manifest.new"
    sync -- "$folder" 2>/dev/null
    mv "$manifest.all" "$manifest" || no_give "$manifest cannot be written"
    echo "KLM1345I $n certificates of $owner/$ring are in $folder; the verification pattern of the master key is $pattern"
    echo "  Move the folder to that of the operators' files of the backup server, then klmpartner take there."
}

# ---- take

# Every file is what the manifest says, before anything changes.
check_manifest() {
    local body=$manifest.body name hash member token_hash rest
    [ -f "$manifest" ] || no_folder "$manifest"
    sed '$d' "$manifest" >"$body" || die KLM0001E "File $body cannot be opened: a copy of the manifest goes there" "Check the name, the owner and the permissions of the file and of its folder."
    if [ "$(head -n 1 "$manifest")" != "KLM-PARTNER 1" ] || [ "$(tail -n 1 "$manifest")" != "SHA-256: $(sum_of "$body")" ]; then
        rm -f "$body"
        no_folder "$manifest"
    fi
    rm -f "$body"
    while read -r _ name _ _ _ hash member token_hash rest; do
        [ "$(sum_of "$folder/$name" 2>/dev/null)" = "$hash" ] || no_folder "$folder/$name"
        [ "$member" = - ] || [ "$(sum_of "$folder/$member" 2>/dev/null)" = "$token_hash" ] ||
            no_folder "$folder/$member"
    done < <(grep '^Cert: ' "$manifest")
    while read -r _ name hash rest; do
        [ "$(sum_of "$folder/$name" 2>/dev/null)" = "$hash" ] || no_folder "$folder/$name"
    done < <(grep -E '^(Keys|Groups): ' "$manifest")
}

# same, none, other: what is here under a token's label
token_here() { # MEMBER TOKEN
    local state=other
    if xfer "WRITE,$2,$set_name(CHECK)"; then
        cmp -s "$folder/CHECK" "$folder/$1" && state=same
        rm -f "$folder/CHECK"
    elif [[ $said == KLM0946E* ]]; then
        state=none
    else
        refused "token $2"
    fi
    echo $state
}
cert_here() { # MEMBER OWNER LABEL
    local state=other
    if racf "$(id_of "$2") EXPORT(LABEL('${3//\'/\'\'}')) DSN('$set_name(CHECK)') FORMAT(CERTDER)"; then
        cmp -s "$folder/CHECK" "$folder/$1" && state=same
        rm -f "$folder/CHECK"
    elif [[ $said == KLM0938E* ]]; then
        state=none
    else
        refused "certificate $3"
    fi
    echo $state
}

# What is here under the same names is the same: else nothing is changed.
check_names() {
    local name owner_of member token label state
    while read -r _ name owner_of _ _ _ member _ token label; do
        state=$(cert_here "$name" "$owner_of" "$label") || exit 1
        [ "$state" != other ] || another "certificate $label of $owner_of"
        [ "$member" != - ] || continue
        state=$(token_here "$member" "$token") || exit 1
        [ "$state" != other ] || another "key token $token"
    done < <(grep '^Cert: ' "$manifest")
}

pattern_there() { sed -n 's/^Verification-Pattern: //p' "$manifest"; }
other_master() {
    die KLM1344E "This server has another master key than the one with verification pattern $(pattern_there). Nothing was changed" \
        "Enter the same key parts here (klmsrv --enter-master) before its store is made; else move the keys by a backup."
}

# A running task tells its pattern, which says more than names that happen to be taken; one that is down is asked by the first token.
check_master() {
    local here
    tool oper status || return 0
    here=$(sed -n 's/^Master key verification pattern *//p' <<<"$said")
    [ -z "$here" ] || [ "$here" = "$(pattern_there)" ] || other_master
}

# Stored keys before all else: another key of the same alias ends it before anything is changed.
take_keys() {
    local name
    while read -r _ name _; do
        if ! xfer "READKEYS,$set_name($name)"; then
            [[ $said != KLM0950E* ]] || other_master
            refused "KEYXFER READKEYS of $name"
        fi
        step "$([[ $said == "0 "* ]] && echo there || echo "done")" "KEYXFER  READKEYS ${said%% from *}"
    done < <(grep '^Keys: ' "$manifest")
}

# Behind the keys, so that no group names a key that is not here.
take_groups() {
    local name
    while read -r _ name _; do
        xfer "READGROUPS,$set_name($name)" || refused "KEYXFER READGROUPS"
        step "$([[ $said == "0 key groups added, 0 changed,"* ]] && echo there || echo "done")" "KEYXFER  READGROUPS ${said%% from *}"
    done < <(grep '^Groups: ' "$manifest")
}

take_token() { # MEMBER TOKEN
    local state
    state=$(token_here "$1" "$2") || exit 1
    if [ "$state" = same ]; then
        step there "KEYXFER  READ $2"
        return
    fi
    if ! xfer "READ,$2,$set_name($1)"; then
        [[ $said != KLM0950E* ]] || other_master
        refused "KEYXFER READ of $2"
    fi
    step "done" "KEYXFER  READ $2"
}

take_cert() { # MEMBER OWNER LABEL TOKEN
    local state pcicc=
    state=$(cert_here "$1" "$2" "$3") || exit 1
    if [ "$state" = same ]; then
        step there "ADD      $3 of $2"
        return
    fi
    [ "$4" = - ] || pcicc=" PCICC($4)"
    racf "$(id_of "$2") ADD('$set_name($1)') TRUST WITHLABEL('${3//\'/\'\'}')$pcicc" || refused "ADD of $3"
    step "done" "ADD      $3 of $2"
}

connect() { # OWNER USAGE DEFAULT LABEL
    local cert default=
    if [ "$1" = CERTAUTH ] || [ "$1" = SITE ]; then cert="$1 LABEL('${4//\'/\'\'}')"; else cert="ID($1) LABEL('${4//\'/\'\'}')"; fi
    [ "$3" = YES ] && default=" DEFAULT"
    racf "ID($owner) CONNECT($cert RING($ring) USAGE($2)$default)" || refused "CONNECT of $4"
    step "done" "CONNECT  $4 to $ring"
}

add_ring() {
    if racf "ID($owner) LISTRING($ring)"; then
        step there "ADDRING  $ring of $owner"
    else
        racf "ID($owner) ADDRING($ring)" || refused "ADDRING"
        step "done" "ADDRING  $ring of $owner"
    fi
}

take() {
    local name owner_of usage default member token label
    check_manifest
    check_master
    check_names
    read -r _ owner ring < <(grep '^Ring: ' "$manifest")
    take_keys
    take_groups
    while read -r _ name owner_of usage default _ member _ token label; do
        [ "$member" = - ] || take_token "$member" "$token"
    done < <(grep '^Cert: ' "$manifest")
    add_ring
    while read -r _ name owner_of usage default _ member _ token label; do
        take_cert "$name" "$owner_of" "$label" "$token"
        connect "$owner_of" "$usage" "$default" "$label"
    done < <(grep '^Cert: ' "$manifest")
    if tool oper status; then
        tool oper refreshks || refused "refreshks"
        step "done" "refreshks"
    else
        step later "refreshks: the task is down and opens the ring when it starts"
    fi
    echo "KLM1346I Key ring $owner/$ring holds what was given"
    echo "  Prove it: on the other server, oper \"F ISKLM,APPL='drill -partner HOST:PORT'\"."
}

# ---- Options
[ $# -ge 1 ] || wrong "give or take?"
case $1 in
-h | --help) usage; exit 0 ;;
-V | --version) racdcert --version | sed 's/^racdcert/klmpartner/'; exit ;;
give | take) verb=$1 ;;
*) wrong "$1 is not known" ;;
esac
shift
config=${KLM_CONFIG:-/etc/isklm/ISKLMConfig.properties.zos} ring='' owner='' set_name=KLM.PARTNER with_authority='' with_default=''
while [ $# -gt 0 ]; do
    case $1 in
    -c | -r | -d) [ $# -ge 2 ] || wrong "$1 needs a value" ;;&
    -c) config=$2; shift ;;
    -r) [ "$verb" = give ] || wrong "-r is for give"; ring=$2; shift ;;
    -d) set_name=$2; shift ;;
    --with-authority) [ "$verb" = give ] || wrong "$1 is for give"; with_authority=yes ;;
    --with-default) [ "$verb" = give ] || wrong "$1 is for give"; with_default=yes ;;
    *) wrong "$1 is not known" ;;
    esac
    shift
done
[[ $set_name =~ ^[A-Za-z0-9.@#\$_-]+$ && $set_name != .* ]] || wrong "$set_name is no name of a folder"
[ -r "$config" ] || die KLM0001E "File $config cannot be opened: it is the configuration" "Check the name, the owner and the permissions of the file and of its folder."
folder=$(files_folder)/$set_name manifest=$folder/MANIFEST
"$verb"
