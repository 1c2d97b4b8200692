#!/bin/sh
# The test of the differential test: Redis against itself must be clean, and Redis with a fault (a
# request exchanged on its way to the second server) must be caught. Takes under a minute.
#     selfcheck.sh [first port-last port]
cd "$(dirname "$0")" || exit 2
set -- ${1:+--ports "$1"}
passed=0 failed=0

check() { # expected exit code, name, arguments
    expected=$1 name=$2
    shift 2
    ./diff.py --heapd redis-server --heapd-is-redis "$@" >/tmp/diff-selfcheck.$$ 2>&1
    if [ $? -eq "$expected" ]; then
        echo "ok   $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        cat /tmp/diff-selfcheck.$$
        failed=$((failed + 1))
    fi
    rm -f /tmp/diff-selfcheck.$$
}

check 0 "Redis against itself" "$@" --commands 40000 --seed 11
for fault in linsert ch spop persist ltrim hash rank vanish; do
    check 1 "the fault '$fault' is found" "$@" --parts random --seed 11 --spoil "$fault"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
