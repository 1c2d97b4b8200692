#!/bin/sh
# redis-benchmark: every test that it is asked for gives a figure, at three pipeline depths and in
# RESP3, and no reply is an error.
. "$(dirname "$0")/lib.sh"
tests=set,get,incr,lpush,rpop,sadd,hset,zadd,lrange,mset
lines='SET GET INCR LPUSH RPOP SADD HSET ZADD LRANGE_100 LRANGE_300 LRANGE_500 LRANGE_600 MSET'

bench() { # name, tests, expected lines, further arguments
    name=$1 names=$2 expected=$3
    shift 3
    out=$(redis-benchmark -h 127.0.0.1 -p "$PORT" -t "$names" --csv "$@" 2>&1)
    is "$name: exit code" 0 $?
    lacks "$name: no error" 'error|warning|wrong|unknown|-ERR' "$out"
    for line in $expected; do
        has "$name: $line" "^\"$line( .*)?\",\"([0-9.]+|inf)\"" "$out"
    done
}

bench "pipeline 1" "$tests" "$lines" -n 500 -c 10 -P 1
bench "pipeline 16" "$tests" "$lines" -n 3000 -c 10 -P 16
bench "pipeline 64" "$tests" "$lines" -n 6000 -c 10 -P 64
bench "pipeline 16, RESP3" "$tests" "$lines" -n 3000 -c 10 -P 16 -3
bench "random keys and 3,000 bytes" set,get,lpush,rpop,sadd,hset,zadd,mset \
    "SET GET LPUSH RPOP SADD HSET ZADD MSET" -n 2000 -c 20 -P 16 -r 1000 -d 3000
bench "two threads" set,get,hset "SET GET HSET" -n 4000 -c 20 -P 16 --threads 2
out=$(redis-benchmark -h 127.0.0.1 -p "$PORT" -n 200 -q ZRANGE nosuchkey 0 -1 2>&1 | tr '\r' '\n')
has "a command of one's own" 'requests per second' "$out"
lacks "a command of one's own: no error" 'error|-ERR' "$out"
finish
