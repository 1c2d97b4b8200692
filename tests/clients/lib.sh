# Sourced by the shell tests (PORT is the server's): ok and FAIL lines, the closing line, the exit
# code.

passed=0
failed=0

pass() {
    echo "ok   $1"
    passed=$((passed + 1))
}

fail() { # name, what came instead
    echo "FAIL $1"
    printf '%s\n' "$2" | head -n 20 | sed 's/^/     /'
    failed=$((failed + 1))
}

# is NAME EXPECTED ACTUAL: the same text.
is() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "expected: $2
came:     $3"; fi
}

# has NAME PATTERN TEXT: an extended regular expression that some line matches.
has() {
    if printf '%s\n' "$3" | grep -Eq -- "$2"; then pass "$1"; else fail "$1" "no /$2/ in: $3"; fi
}

# lacks NAME PATTERN TEXT: no line matches, in any case.
lacks() {
    if printf '%s\n' "$3" | grep -Eiq -- "$2"; then fail "$1" "$3"; else pass "$1"; fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
