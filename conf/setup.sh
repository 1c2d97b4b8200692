# shellcheck shell=sh disable=SC2034
# Sourced by run, test and the Dockerfile: what is needed from Debian 12, and how the tree is built.
# POSIX sh. Nothing is fetched that is there already; neither root nor the network is needed then.

packages_build='gcc libc6-dev cmake pkg-config libuv1-dev liburing-dev libhiredis-dev libmicrohttpd-dev
libjansson-dev libedit-dev libjemalloc-dev'
packages_test='libcmocka-dev python3 python3-redis redis-server redis-tools prometheus valgrind'
packages_runtime='libuv1 liburing2 libhiredis0.14 libmicrohttpd12 libjansson4 libedit2
libjemalloc2'

say() { printf '%s\n' "$*" >&2; }

# The names among "$@" that are not installed.
setup_missing() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        'install ok installed') ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# Runs as root, with the packages as arguments. Servers among them (redis-server, prometheus) are
# for the tests and must not start as services, now or at the next boot: policy-rc.d is Debian's
# way to say so. One that is already there is the administrator's word and stays as it is. The
# package lists are fetched only if those at hand do not serve.
# shellcheck disable=SC2016 # it is another shell that expands it
setup_as_root='
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made=
finish() { [ -z "$made" ] || rm -f "$policy"; rm -f "$log"; }
trap finish EXIT
trap "exit 1" HUP INT TERM
if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
    made=yes
    printf "#!/bin/sh\nexit 101\n" >"$policy"
    chmod 755 "$policy"
fi
fetch() {
    apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends "$@" </dev/null >"$log" 2>&1
}
if ! fetch "$@"; then
    apt-get -q -o DPkg::Lock::Timeout=300 update </dev/null >"$log" 2>&1 && fetch "$@" || {
        cat "$log" >&2
        exit 1
    }
fi
for server in redis-server prometheus; do
    case " $* " in
    *" $server "*)
        systemctl disable "$server" >/dev/null 2>&1 || true
        update-rc.d "$server" disable >/dev/null 2>&1 || true
        ;;
    esac
done
'

# Installs what is missing among "$@", as root or through sudo, and says so.
setup_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "This is not Debian. What is needed goes by these names there: $*"
        return 0
    fi
    # shellcheck disable=SC2046 # the names are words
    set -- $(setup_missing "$@")
    [ $# -gt 0 ] || return 0
    say "Installing: $*"
    if [ "$(id -u)" -eq 0 ]; then
        sh -c "$setup_as_root" setup "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo sh -c "$setup_as_root" setup "$@"
    else
        say 'This needs root: run it as root or install sudo, or install these packages yourself.'
        return 1
    fi
}

# The package that runs the build, where neither of the two programs is there.
setup_maker() {
    command -v ninja >/dev/null 2>&1 || command -v make >/dev/null 2>&1 || echo ninja-build
}

setup_jobs() { nproc 2>/dev/null || echo 2; }

# Runs "$@" and shows its output only if it fails.
setup_quietly() {
    setup_log=$(mktemp) || return 1
    if "$@" >"$setup_log" 2>&1 </dev/null; then
        rm -f "$setup_log"
    else
        cat "$setup_log" >&2
        rm -f "$setup_log"
        say "Failed: $*"
        return 1
    fi
}

# How far a build is, from its output on stdin, where each step begins with [12/345] (ninja) or [ 12%]
# (make): on a terminal one line that is drawn over, elsewhere a line every ten percent.
setup_progress() {
    setup_shown=0 setup_drawn=
    while IFS= read -r setup_line; do
        setup_done=${setup_line#\[} setup_all=100
        case $setup_line in
        \[*/*\]*)
            setup_all=${setup_done#*/}
            setup_all=${setup_all%%\]*} setup_done=${setup_done%%/*}
            ;;
        \[*%\]*) setup_done=${setup_done%%\%*} ;;
        *) continue ;;
        esac
        setup_done=${setup_done##* }
        case $setup_done/$setup_all in
        *[!0-9/]* | /* | */ | */0) continue ;;
        esac
        setup_percent=$((setup_done * 100 / setup_all))
        if [ -t 2 ]; then
            [ "$setup_drawn" != "$setup_percent" ] || continue
            setup_drawn=$setup_percent
            printf '\r  %3d %%' "$setup_percent" >&2
        else
            while [ "$setup_percent" -ge $((setup_shown + 10)) ]; do
                setup_shown=$((setup_shown + 10))
                printf '  %3d %%\n' "$setup_shown" >&2
            done
        fi
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
}

# Runs "$@", a build, and shows how far it is; what it said, but for its steps, only if it fails.
setup_watched() {
    setup_log=$(mktemp) || return 1
    { "$@" </dev/null 2>&1 || echo failed >"$setup_log.status"; } | tee "$setup_log" | setup_progress
    if [ ! -e "$setup_log.status" ]; then
        rm -f "$setup_log"
        return 0
    fi
    grep -v '^\[ *[0-9]*[/%]' "$setup_log" >&2 || true
    rm -f "$setup_log" "$setup_log.status"
    say "Failed: $*"
    return 1
}

# setup_time SECONDS: how long so much CPU time is with what cores there are, in words.
setup_time() {
    setup_cores=$(setup_jobs)
    setup_seconds=$((($1 + setup_cores - 1) / setup_cores))
    if [ "$setup_seconds" -le 60 ]; then
        echo "about $(((setup_seconds + 9) / 10 * 10)) seconds"
    else
        echo "about $(((setup_seconds + 59) / 60)) minutes"
    fi
}

# setup_expect FOLDER SECONDS: what building in it means; the first build takes so much CPU time.
setup_expect() {
    if [ -e "$1/heapd.built" ]; then echo 'what has changed'; else setup_time "$2"; fi
}

# setup_build SOURCE FOLDER [cmake argument...]: configures and builds, with what cores there are.
setup_build() {
    source=$1 folder=$2
    shift 2
    cache=$folder/CMakeCache.txt
    if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source" "$cache"; then
        say "$folder was made for another tree and is made anew."
        rm -rf "$folder"
    fi
    if [ ! -f "$cache" ] && command -v ninja >/dev/null 2>&1; then
        set -- -G Ninja "$@"
    fi
    setup_quietly cmake -S "$source" -B "$folder" "$@" || return 1
    setup_watched cmake --build "$folder" -j "$(setup_jobs)" || return 1
    : >"$folder/heapd.built"
}
