#!/bin/sh
# Write the manuals that come from tables: docs.sh GENDOCS FOLDER. With --check, only tell which of them are out of date.
set -eu

check=
if [ "$1" = --check ]; then
    check=1
    shift
fi
gendocs=$1 folder=$2 status=0

# one MANUAL FILE
one()
{
    new=$(mktemp)
    "$gendocs" "$1" >"$new"
    if [ -z "$check" ]; then
        mkdir -p "$(dirname "$2")"
        cat "$new" >"$2"
    elif ! cmp -s "$new" "$2"; then
        echo "$2 is out of date: run make docs"
        status=1
    fi
    rm -f "$new"
}

for manual in messages properties verbs audit commands; do
    one "$manual" "$folder/$manual.md"
done
for page in klmsrv-config.5 klmsrv-messages.7 klmsrv-commands.7; do
    one "$page" "$folder/man/$page"
done
exit $status
