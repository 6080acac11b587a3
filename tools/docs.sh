#!/bin/sh
# Write the manuals that come from tables, and the words of the completion: docs.sh GENDOCS FOLDER. With --check, only tell which of them are out of date.
set -eu

check=
if [ "$1" = --check ]; then
    check=1
    shift
fi
gendocs=$1 folder=$2 status=0

# put NEW FILE: FILE becomes NEW, or is compared with it
put()
{
    if [ -z "$check" ]; then
        mkdir -p "$(dirname "$2")"
        cat "$1" >"$2"
    elif ! cmp -s "$1" "$2"; then
        echo "$2 is out of date: run make docs"
        status=1
    fi
    rm -f "$1"
}

# one MANUAL FILE
one()
{
    new=$(mktemp)
    "$gendocs" "$1" >"$new"
    put "$new" "$2"
}

# The words stand between two comments in the script; all else there is written by hand.
completion()
{
    new=$(mktemp)
    sed '/^# BEGIN words/q' "$1" >"$new"
    "$gendocs" completion >>"$new"
    sed -n '/^# END words/,$p' "$1" >>"$new"
    put "$new" "$1"
}

for manual in messages properties verbs audit smf smfdump-columns commands; do
    one "$manual" "$folder/$manual.md"
done
for page in klmsrv-config.5 klmsrv-messages.7 klmsrv-commands.7; do
    one "$page" "$folder/man/$page"
done
completion "$(dirname "$folder")/packaging/klmsrv.bash-completion"
exit $status
