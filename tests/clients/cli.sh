#!/bin/sh
# redis-cli in its ways of use: one shot, RESP3, JSON, a script on stdin, --pipe, the scans, the
# statistics, and the prompt with completion on a terminal.
. "$(dirname "$0")/lib.sh"
cli() { redis-cli -h 127.0.0.1 -p "$PORT" "$@" 2>&1; }

# One shot.
is "ping" PONG "$(cli ping)"
is "set" OK "$(cli set key 'a value')"
is "get" "a value" "$(cli get key)"
is "get, no key" "" "$(cli get nokey)"
is "get as for a terminal" '"a value"' "$(cli --no-raw get key)"
is "nil as for a terminal" "(nil)" "$(cli --no-raw get nokey)"
is "an integer as for a terminal" "(integer) 1" "$(cli --no-raw del key)"
is "binary from stdin" OK "$(printf 'a\000b\r\nc' | cli -x set bin)"
is "binary back" '"a\x00b\r\nc"' "$(cli --no-raw get bin)"
is "an URL" PONG "$(redis-cli -u "redis://127.0.0.1:$PORT/0" ping 2>&1)"
is "database 0" PONG "$(cli -n 0 ping)"
is "repeat" "1
2
3" "$(cli -r 3 incr counter)"
has "an unknown command" "^ERR unknown command 'nosuch', with args beginning with: 'x' ?$" \
    "$(cli nosuch x)"
cli -e get >/dev/null
is "an error with -e gives code 1" 1 $?
cli rpush list a b c >/dev/null
is "a list" "a
b
c" "$(cli lrange list 0 -1)"
is "a list as for a terminal" '1) "a"
2) "b"
3) "c"' "$(cli --no-raw lrange list 0 -1)"
is "a list as CSV" '"a","b","c"' "$(cli --csv lrange list 0 -1)"

# RESP3.
cli hset hash f1 v1 >/dev/null
cli zadd zset 1.5 m >/dev/null
cli sadd set x >/dev/null
is "RESP3: a map" '1# "f1" => "v1"' "$(cli -3 --no-raw hgetall hash)"
is "RESP3: a set" '1~ "x"' "$(cli -3 --no-raw smembers set)"
is "RESP3: a double" '(double) 1.5' "$(cli -3 --no-raw zscore zset m)"
is "RESP3: scores" '1) 1) "m"
   2) (double) 1.5' "$(cli -3 --no-raw zrange zset 0 -1 withscores)"
is "JSON" '{"f1":"v1"}' "$(cli --json hgetall hash)"
is "JSON: an array" '["a","b","c"]' "$(cli --json lrange list 0 -1)"
is "JSON: null" 'null' "$(cli --json get nokey)"

# A script, and mass insertion.
is "commands on stdin" "OK
2
42" "$(printf 'set n 1\nincr n\necho 42\n' | cli)"
out=$(awk 'BEGIN { for (i = 0; i < 20000; i++)
    printf "*3\r\n$3\r\nSET\r\n$%d\r\npipe:%d\r\n$%d\r\n%d\r\n", length(i) + 5, i, length(i), i }' |
    cli --pipe)
has "--pipe: 20,000 commands" '^errors: 0, replies: 20000$' "$out"
is "--pipe: the last one is there" 19999 "$(cli get pipe:19999)"
out=$(printf 'SET a 1\r\nINCR list\r\nGET a\r\n' | cli --pipe)
has "--pipe: an error is counted" '^errors: 1, replies: 3$' "$out"

# Scans.
is "--scan: all keys" "$(cli dbsize)" "$(cli --scan | sort -u | wc -l | tr -d ' ')"
is "--scan --pattern" 111 "$(cli --scan --pattern 'pipe:199*' | sort -u | wc -l | tr -d ' ')"
out=$(cli --bigkeys)
has "--bigkeys: the list" "Biggest +list found .*list.* has 3 items" "$out"
has "--bigkeys: every type" "1 zsets with 1 members" "$out"
lacks "--bigkeys: no error" 'error' "$out"
out=$(cli --memkeys)
has "--memkeys: bytes" "Biggest +hash found .*hash.* has [0-9]+ bytes" "$out"
lacks "--memkeys: no error" 'error' "$out"

# Statistics.
out=$(cli info)
for field in redis_version: uptime_in_seconds: connected_clients: used_memory: used_memory_human: \
    maxmemory: total_connections_received: total_commands_processed: keyspace_hits: \
    'db0:keys=[0-9]+'; do
    has "info: $field" "^$field" "$out"
done
has "info keyspace" '^db0:keys=[0-9]+,expires=[0-9]+,avg_ttl=[0-9]+' "$(cli info keyspace)"
has "--latency" '^[0-9]+ [0-9]+ [0-9.]+ [0-9]+' "$(timeout 10 redis-cli -p "$PORT" --latency)"
has "--stat" '^[0-9]+ +[0-9.]+[BKMG] +[0-9]+ +0 +[0-9]+ ' \
    "$(timeout 2 stdbuf -oL redis-cli -p "$PORT" --stat -i 0.2)"

# The prompt on a terminal: COMMAND DOCS, hints, output for people.
if command -v script >/dev/null; then
    out=$( (sleep 1; printf 'get counter\r'; sleep 0.4; printf 'hgetall hash\r'; sleep 0.4
        printf 'exit\r') |
        timeout 20 script -qec "stty rows 24 cols 120; exec redis-cli -p $PORT" /dev/null 2>&1 |
        tr '\r' '\n')
    has "the prompt: a reply" '^"3"$' "$out"
    has "the prompt: an array" '^2\) "v1"$' "$out"
    lacks "the prompt: no error" 'error|ERR' "$out"
else
    fail "the prompt" "script (package bsdutils) is missing"
fi
finish
