#!/bin/sh
# vox.sh [OPTIONS] TEXT...    what `vox` does, by curl: for where no Python is to be started
#
# It takes the options of a request (see: vox --help), --async and -q, and a text from a pipe.
# Everything else is left to vox: other options and commands, no daemon up, whatever that refuses.
# Notes, such as that speech is paused, are not shown. POSIX sh; needs curl 7.40 of 2015 or newer.
set -u

main() {
    words='' count=0 query='' is_async='' wanted='' is_escaped='' is_piped=''
    understand "$@"
    if [ "$count" = 0 ] || { [ "$count" = 1 ] && [ "$words" = - ]; }; then
        [ ! -t 0 ] || exec vox "$@"
        is_piped=1
    elif [ ! "$is_escaped" ]; then
        # The name of a command or a file: vox knows what is meant.
        case $first in
        @* | '') exec vox "$@" ;;
        *[!a-z_-]*) [ ! -f "$first" ] || exec vox "$@" ;;
        *) exec vox "$@" ;;
        esac
    fi
    find_socket || exec vox "$@"
    command -v curl >/dev/null || exec vox "$@"
    from_environment
    name_source
    if [ "$is_piped" ]; then
        words=$(cat && printf x) && words=${words%x}
        case $words in
        *[![:space:]]*) ;;
        *) refused "$@" ;;
        esac
    fi
    if [ "$is_async" ]; then
        answer=$(printf %s "$words" | post 2>/dev/null)
        ended=$?
    else
        send_and_wait
    fi
    conclude "$@"
}

# Sets query, words, count, first, is_async.
understand() {
    for argument; do
        if [ "$wanted" ]; then
            # Empty, or perhaps a path: see vox.
            case $wanted=$argument in *= | model=[.~]* | model=*/*) exec vox "$@" ;; esac
            add "$wanted" "$argument"
            wanted=''
        elif [ "$is_escaped" ] || [ "$argument" = - ]; then
            add_word "$argument"
        else
            case $argument in
            --) is_escaped=1 ;;
            --async) is_async=1 ;;
            -q | --quiet) ;;
            -b) wanted=backend ;;
            -v) wanted=voice ;;
            -l) wanted=lang ;;
            -m) wanted=model ;;
            --fresh | --private | --interrupt) add "${argument#--}" true ;;
            --backend | --voice | --lang | --model | --speed | --volume | --style | --gender | \
                --format | --priority | --expires | --replace | --source) wanted=${argument#--} ;;
            --keep-alive) wanted=keep_alive ;;
            -*) exec vox "$@" ;;
            *) add_word "$argument" ;;
            esac
        fi
    done
    [ ! "$wanted" ] || exec vox "$@"
}

add_word() {
    if [ "$count" = 0 ]; then
        first=$1 words=$1
    else
        words="$words $1"
    fi
    count=$((count + 1))
}

# add NAME VALUE: to the address; the last one counts.
add() {
    case $2 in
    *[!A-Za-z0-9._-]*) set -- "$1" "$(percent "$2")" ;;
    esac
    case $query in
    *"&$1="*) query=${query%%"&$1="*}$(printf %s "${query#*"&$1="}" | sed 's/^[^&]*//') ;;
    esac
    query="$query&$1=$2"
}

percent() {
    printf %s "$1" | LC_ALL=C od -An -v -tx1 | LC_ALL=C tr -d '\n' | LC_ALL=C sed 's/ /%/g'
}

# The variables that set an option too, where it is not given.
from_environment() {
    for variable in BACKEND VOICE LANG MODEL SPEED VOLUME FORMAT SOURCE; do
        eval "value=\${VOX_$variable-}"
        [ "$value" ] || continue
        case $variable in
        BACKEND) name=backend ;;
        VOICE) name=voice ;;
        LANG) name=lang ;;
        MODEL) name=model ;;
        SPEED) name=speed ;;
        VOLUME) name=volume ;;
        FORMAT) name=format ;;
        *) name=source ;;
        esac
        case $query in
        *"&$name="*) ;;
        *) add "$name" "$value" ;;
        esac
    done
}

# Who sends it: the git repository, else the program that calls.
name_source() {
    case $query in *'&source='*) return ;; esac
    folder=$PWD
    while [ "$folder" ] && [ ! -e "$folder/.git" ]; do
        folder=${folder%/*}
    done
    caller=shell
    if [ ! "$folder" ] && [ -r "/proc/$PPID/comm" ]; then
        read -r caller <"/proc/$PPID/comm" || :
        case $caller in sh | bash | dash | zsh | ksh | fish) caller=shell ;; esac
    fi
    folder=${folder##*/}
    add source "${folder:-$caller}"
}

# Sets socket, if there is one in a folder of the user's alone.
find_socket() {
    if [ "${VOX_SOCKET-}" ] || [ -d "${HOME-}/.local/state/vox/remote" ]; then
        return 1 # a laptop may hear it: see `vox remote`
    fi
    user=$(id -u)
    if [ "${VOX_HOME-}" ]; then
        folder=$VOX_HOME/run
    elif [ "${XDG_DATA_HOME-}" ]; then
        return 1
    else
        folder=${XDG_RUNTIME_DIR:-/run/user/$user}/vox
    fi
    socket=$folder/vox.sock
    [ -S "$socket" ] || return 1
    case $(ls -ldn "$folder") in
    drwx------*" $user "*) ;;
    *) return 1 ;;
    esac
}

# Sends the text on standard input; prints the answer, and its status on the last line.
post() {
    exec curl -sS --unix-socket "$socket" -H 'Content-Type: text/plain; charset=utf-8' \
        -H 'Expect:' --data-binary @- -w '\n%{http_code}' "http://vox/speak?via=cli$query${is_async:+&async=true}"
}

# Sets answer and ended. A signal ends curl, and so its job: the daemon sees the connection close.
send_and_wait() {
    file=${socket%/*}/answer.$$
    printf %s "$words" | post >"$file" 2>/dev/null &
    curl=$!
    trap 'stop 129' HUP
    trap 'stop 130' INT
    trap 'stop 143' TERM
    wait "$curl"
    ended=$?
    trap - HUP INT TERM
    answer=$(cat "$file")
    rm -f "$file"
}

stop() {
    trap '' HUP INT TERM
    kill "$curl" 2>/dev/null
    rm -f "$file"
    exit "$1"
}

conclude() {
    status=${answer##*
}
    case $ended:$status in
    0:200) exit 0 ;;
    0:202)
        id=${answer#*\"id\": \"}
        printf '%s\n' "${id%%\"*}"
        exit 0
        ;;
    0:[45]??) case $answer in *'"job":{'*) job_failed ;; esac ;;
    1:* | 2:* | 7:*) ;; # nothing was sent
    *)
        echo "vox: the daemon went away; see: vox history" >&2
        exit 3
        ;;
    esac
    refused "$@"
}

# No job was made: vox makes it, or says why not.
refused() {
    if [ "$is_piped" ]; then
        printf %s "$words" | vox "$@"
        exit
    fi
    exec vox "$@"
}

# The job was made, and not spoken to its end.
job_failed() {
    detail=${answer#*\"detail\":\"}
    printf 'vox: %s\n' "$(printf '%s\n' "$detail" | sed -e '1!d' -e 's/\([^\\]\)".*/\1/' -e 's/\\\(["\\]\)/\1/g')" >&2
    code=${answer##*\"exit_code\":}
    code=${code%%[!0-9]*}
    exit "${code:-1}"
}

main "$@"
