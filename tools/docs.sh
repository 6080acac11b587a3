#!/bin/sh
# Write the manuals that come from tables: docs.sh GENDOCS FOLDER. With --check, only tell which of them are out of date.
set -eu

check=
if [ "$1" = --check ]; then
    check=1
    shift
fi
gendocs=$1 folder=$2 status=0

for manual in messages properties verbs audit; do
    new=$(mktemp)
    "$gendocs" "$manual" >"$new"
    if [ -z "$check" ]; then
        mkdir -p "$folder"
        cat "$new" >"$folder/$manual.md"
    elif ! cmp -s "$new" "$folder/$manual.md"; then
        echo "$folder/$manual.md is out of date: run make docs"
        status=1
    fi
    rm -f "$new"
done
exit $status
