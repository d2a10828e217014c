#!/usr/bin/env bash
# A PostgreSQL for the tests: a new one in a temporary folder, on a socket there, as an unprivileged user. It orders texts as English
# does, which the records must not.
#   tools/postgres.sh start          prints the folder; the data base is postgres:///bertillon?host=FOLDER&user=tests
#   tools/postgres.sh stop FOLDER    stops it and removes the folder

# shellcheck source=tools/env.sh
source "$(dirname "$0")/env.sh"

programs="$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1 || true)"
[ -n "$programs" ] || programs="$(dirname "$(command -v initdb || true)")"
[ -x "$programs/initdb" ] || stop "PostgreSQL is missing: 'apt-get install postgresql' brings it."

# It refuses to run as root.
own=()
if [ "$(id -u)" -eq 0 ]; then
    user=postgres
    id -u "$user" >/dev/null 2>&1 || user=nobody
    own=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
fi

case "${1:-}" in
start)
    folder="$(mktemp -d /tmp/bertillon-pg.XXXXXX)"
    [ "${#own[@]}" -eq 0 ] || chown "$user" "$folder"
    cd "$folder"
    {
        "${own[@]}" "$programs/initdb" -D "$folder/data" -U tests -A trust --encoding=UTF8 --locale=C.UTF-8 \
            --locale-provider=icu --icu-locale=en
        # Durable as it is by default: what is timed and killed here must be what is used.
        "${own[@]}" "$programs/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 \
            -o "-c listen_addresses= -c unix_socket_directories=$folder -c max_connections=200" start
        "$programs/psql" -h "$folder" -U tests -d postgres -c 'CREATE DATABASE bertillon'
    } >"$folder/started" 2>&1 </dev/null || {
        cat "$folder/started" "$folder/log" >&2 || true
        stop "PostgreSQL does not start"
    }
    echo "$folder"
    ;;
stop)
    folder="${2:?tools/postgres.sh stop FOLDER}"
    [ -d "$folder/data" ] || stop "$folder is no folder of tools/postgres.sh start"
    cd "$folder"
    "${own[@]}" "$programs/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null || true
    rm -rf "$folder"
    ;;
*)
    stop "tools/postgres.sh start, or tools/postgres.sh stop FOLDER"
    ;;
esac
