#!/usr/bin/env bash
# `ride completion bash|zsh`: the scripts are sourced and asked as the shells ask. zsh is asked through a pseudo-terminal;
# where there is no zsh that part says that it was skipped.
set -eu
[ -x "${RIDE_BIN:-}" ] || { echo "no ride program"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "FAILED: $*"; exit 1; }
"$RIDE_BIN" completion bash >ride.bash
"$RIDE_BIN" completion zsh >_ride
got=0; "$RIDE_BIN" completion fish 2>/dev/null || got=$?
[ $got = 64 ] || fail "another shell gave $got"
: >alpha.yaml; : >alpha.csv; : >'with space.csv'

# What bash offers for a line; readline's splitting at blanks and at `=` is done here.
offers() (
    set +eu
    source ./ride.bash
    complete -p ride >/dev/null || exit 1
    local line=$1 word rest
    COMP_WORDS=()
    for word in $line; do
        while [[ $word == *=* ]]; do
            rest=${word#*=}
            [[ -z ${word%%=*} ]] || COMP_WORDS+=("${word%%=*}")
            COMP_WORDS+=("=")
            word=$rest
        done
        [[ -z $word ]] || COMP_WORDS+=("$word")
    done
    [[ $line != *' ' && $line != *= ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _ride
    printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
)
offer() { # line, all that is expected
    local got
    got=$(offers "$1")
    [ "$got" = "$2 " ] || fail "bash: '$1' offers '$got', not '$2'"
}
has() { # line, what must be among the offers
    local got
    got=$(offers "$1")
    for word in $2; do [[ " $got" == *" $word "* ]] || fail "bash: '$1' offers '$got' without $word"; done
}
lacks() { [[ " $(offers "$1")" != *" $2 "* ]] || fail "bash: '$1' offers $2"; }
offer 'ride fea' 'features'
has 'ride ' 'config features generate help score'
offer 'ride features ' '--help explain run'
offer 'ride features r' 'run'
has 'ride features run --' '--spec --input --format --strict --help'
lacks 'ride features explain --' '--strict'
has 'ride drift --' '--reference --current --fail-above --json'
offer 'ride drift --reference alpha.c' 'alpha.csv'
offer 'ride features run --format ' 'binary csv ndjson'
offer 'ride features run --format=n' 'ndjson'
offer 'ride features run --spec alpha' 'alpha.csv alpha.yaml'
offer 'ride features run --spec=alpha.y' 'alpha.yaml'
offer 'ride features run --input tx=alpha.c' 'alpha.csv'
offer 'ride features run --input with' 'with space.csv'
has 'ride features run --strict ' '--spec --output'
offer 'ride features run --batch ' ''
offer 'ride model info al' 'alpha.csv alpha.yaml'
offer 'ride completion ' '--help bash zsh'
offer 'ride config check --config alpha.y' 'alpha.yaml'
offer 'ride config check --set scheduler.' 'scheduler.max_batch= scheduler.max_delay= scheduler.policy='
offer 'ride config check --set scheduler.policy=' 'fixed greedy'
has 'ride config check --set kaf' 'kafka.brokers= kafka.raw. kafka.sasl.user='
lacks 'ride config check --set sch' 'scheduler.slo='
offer 'ride config check --set outputs.decisions.format=' 'binary csv ndjson'
offer 'ride config check --set model.best_iteration=t' 'true'
offer 'ride config check --set spec.path=alpha.y' 'alpha.yaml'
offer 'ride config check --set=log.level=w' 'warn'
has 'ride config check --set inp' 'inputs.'
offer 'ride config explain scheduler.' 'scheduler.max_batch scheduler.max_delay scheduler.policy'
offer 'ride nonsense --' '--help'

# Every verb and every option of `--help` is offered: nothing is listed twice, so nothing can be forgotten.
for verb in $("$RIDE_BIN" --help | awk '/^  [a-z]+  / {print $1}'); do has "ride $verb" "$verb"; done
for option in $("$RIDE_BIN" generate --help | grep -o '^  --[a-z-]*'); do has 'ride generate --' "$option"; done

if ! command -v zsh >/dev/null; then
    echo "ok for bash; skipped for zsh: it is not installed"
    exit 0
fi
zsh -n ./_ride || fail "zsh cannot read its script"
cat >ask.zsh <<'END'
# A zsh with the completion runs in a pseudo-terminal; compadd tells what it is given instead of showing it.
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= RPS1= PROMPT_EOL_MARK=; unsetopt zle_bracketed_paste 2>/dev/null; stty -echo 2>/dev/null"
zpty -w z "fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' list-colors ''"
zpty -w z 'report() { local -a found; builtin compadd -O found "$@"; [[ ${@[(r)-O]} ]] || print -rl -- $found >>offers; builtin compadd "$@"; }'
zpty -w z 'ask() { compadd() { report "$@"; }; _main_complete; unfunction compadd; compstate[insert]=; compstate[list]=; : >asked; }'
zpty -w z 'zle -C ask complete-word ask; bindkey "^X" ask; : >ready'
wait_for() { # file: the shell reads its terminal when it likes, so what it did is told by a file
    for _ in {1..400}; do
        [[ -e $1 ]] && return
        zpty -r -t z out
        sleep 0.05
    done
    print -r "no $1 in 20 s"
    exit 1
}
wait_for ready
zpty -w -n z "$1"$'\x18'
wait_for asked
zpty -d z
END
zoffer() { # line, words that must be offered, words that must not
    rm -f offers ready asked
    timeout 30 zsh -f ask.zsh "$1" >zsh.out 2>&1 || { cat zsh.out; fail "zsh: '$1' gave no answer"; }
    [ -f offers ] || { cat -v zsh.out; fail "zsh: '$1' offers nothing"; }
    for word in $2; do grep -qxF -- "$word" offers || fail "zsh: '$1' offers $(tr '\n' ' ' <offers) without $word"; done
    for word in ${3-}; do ! grep -qxF -- "$word" offers || fail "zsh: '$1' offers $word"; done
}
zoffer 'ride fea' 'features' 'score'
zoffer 'ride features ' 'run explain'
zoffer 'ride features run --' '--spec --strict' '--json'
zoffer 'ride features run --format ' 'csv ndjson binary'
zoffer 'ride features run --format=n' 'ndjson' 'csv'
zoffer 'ride features run --spec alpha.y' 'alpha.yaml'
zoffer 'ride config check --set scheduler.' 'scheduler.max_batch=' 'scheduler.slo='
zoffer 'ride config check --set outputs.decisions.format=' 'csv ndjson binary'
zoffer 'ride config explain log.' 'log.level log.format'
echo "ok for bash and zsh"
