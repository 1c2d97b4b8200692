#!/bin/sh
# Real clients against a server: redis-benchmark, redis-cli, python3-redis, ioredis and node-redis.
#
#     run.sh [--redis] [--port N] PATH [test ...]
#
# Starts PATH (heapd; with --redis a redis-server, to try the tests themselves) on a free loopback
# port, runs the tests named, or all, and stops it; it must end with code 0. The tests: benchmark,
# cli, python, ioredis, node-redis. The npm packages go to node_modules here when they are missing.
here=$(cd "$(dirname "$0")" && pwd)
kind=heapd
PORT=
while :; do
    case ${1-} in
    --redis) kind=redis ;;
    --port) PORT=$2 && shift ;;
    *) break ;;
    esac
    shift
done
if [ $# -lt 1 ]; then
    echo "usage: run.sh [--redis] [--port N] PATH [test ...]" >&2
    exit 2
fi
server=$1
shift
[ $# -gt 0 ] || set -- benchmark cli python ioredis node-redis

if [ -z "$PORT" ]; then
    PORT=$(/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])') || exit 2
fi
# redis-cli keeps its history to itself, and reads nobody's preferences.
export PORT REDISCLI_HISTFILE=/dev/null REDISCLI_RCFILE=/dev/null
work=$(mktemp -d) || exit 2

if [ "$kind" = redis ]; then
    "$server" --port "$PORT" --bind 127.0.0.1 --save '' --appendonly no --databases 1 \
        --dir "$work" >"$work/log" 2>&1 &
else
    # shellcheck disable=SC2086 # words of ./test --epoll
    "$server" --port "$PORT" --http-port 0 --bind 127.0.0.1 ${HEAPD_TEST_ARGUMENTS:-} \
        >"$work/log" 2>&1 &
fi
pid=$!
trap 'kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT
tries=0
until redis-cli -p "$PORT" ping >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$pid" 2>/dev/null; then
        echo "FAIL $server does not answer on port $PORT"
        cat "$work/log"
        exit 1
    fi
    sleep 0.1
done

# npm_packages: installs what package-lock.json says, unless it is there.
npm_packages() {
    [ -d "$here/node_modules/ioredis" ] && [ -d "$here/node_modules/redis" ] && return 0
    echo "installing ioredis and redis from npm into $here/node_modules"
    (cd "$here" && npm ci --omit=dev --no-audit --no-fund --ignore-scripts) >"$work/npm" 2>&1 &&
        return 0
    cat "$work/npm"
    return 1
}

passed=0
failed=0
for name in "$@"; do
    echo "== $name"
    redis-cli -p "$PORT" flushall >/dev/null 2>&1
    case $name in
    benchmark | cli) sh "$here/$name.sh" >"$work/out" 2>&1 ;;
    python) /usr/bin/python3 "$here/python.py" >"$work/out" 2>&1 ;;
    ioredis | node-redis)
        if npm_packages; then node "$here/$name.mjs" >"$work/out" 2>&1; else false; fi ;;
    *) echo "FAIL there is no test $name" >"$work/out" && false ;;
    esac
    code=$?
    cat "$work/out"
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/out" | tail -n 1)
    good=${line%% *}
    bad=${line#*, }
    bad=${bad%% *}
    [ "$code" -eq 0 ] || [ "${bad:-0}" -gt 0 ] || bad=1
    passed=$((passed + ${good:-0}))
    failed=$((failed + ${bad:-0}))
    : >"$work/out"
done

echo "== the server"
kill -TERM "$pid"
wait "$pid"
code=$?
if [ "$code" -eq 0 ]; then
    echo "ok   ends with code 0 after SIGTERM"
    passed=$((passed + 1))
else
    echo "FAIL ends with code $code after SIGTERM"
    tail -n 60 "$work/log"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
