#!/usr/bin/env bash
# Removes the data folder of this checkout, with every gallery in it. Asks first; CONFIRM=yes answers.

# shellcheck source=tools/env.sh
source "$(dirname "$0")/env.sh"
[ -d data ] || { echo "there is no data folder here"; exit 0; }
du -sh data
if [ "${CONFIRM:-}" != yes ]; then
    [ -t 0 ] || stop "this removes every gallery in data/: run 'make clean-data CONFIRM=yes' if you mean it."
    read -r -p "Remove data/ with every gallery, picture and model in it? [yes/no] " answer
    [ "$answer" = yes ] || stop "nothing was removed."
fi
rm -rf data
echo "data/ is removed"
