/* cli/completion.c: `ride completion bash|zsh`: the shell's completion script. What there is to complete is written from the
 * verbs' own tables as functions of plain `case`, which both shells read alike; only how a shell asks and is answered differs. */
#include "cli/cli.h"
#include "config/config.h"

#include <stdio.h>
#include <string.h>

const char cli_completion_help[] =
    "usage: ride completion bash|zsh\n"
    "Prints a script that completes verbs, options, formats, keys of the configuration and files. The install tree has "
    "it\n"
    "where the shells look (share/bash-completion/completions/ride, share/zsh/site-functions/_ride).\n"
    "Examples:\n"
    "  source <(ride completion bash)\n"
    "  ride completion zsh >\"${fpath[1]}/_ride\"\n";

const cli_word cli_completion_words[] = {{"bash", NULL, 0}, {"zsh", NULL, 0}, {NULL}};

/* The functions answer in the array `reply`; `_ride_kind` in `kind`: what follows an option. */
static void put_verbs(void) {
    fputs("_ride_verbs() { reply=(", stdout);
    for (uint32_t i = 0; i < cli_verbs_count; i++) printf("%s ", cli_verbs[i].name);
    fputs("help); }\n\n_ride_words() {\n    reply=()\n    case $1 in\n", stdout);
    for (uint32_t i = 0; i < cli_verbs_count; i++) {
        const cli_word *words = cli_verbs[i].words;
        if (words == NULL || words[0].name[0] == '\0') continue;
        printf("    %s) reply=(", cli_verbs[i].name);
        for (; words->name != NULL; words++) printf("%s%s", words->name, words[1].name != NULL ? " " : "");
        fputs(") ;;\n", stdout);
    }
    fputs("    esac\n}\n\n", stdout);
}

static void put_options(void) {
    fputs("_ride_options() {\n    reply=(--help)\n    case $1:$2 in\n", stdout);
    for (uint32_t i = 0; i < cli_verbs_count; i++)
        for (const cli_word *word = cli_verbs[i].words; word != NULL && word->name != NULL; word++) {
            if (word->options_count == 0) continue;
            printf("    %s:%s) reply=(", cli_verbs[i].name, word->name);
            for (uint32_t o = 0; o < word->options_count; o++)
                if (word->options[o].name[0] == '-') printf("%s ", word->options[o].name);
            fputs("--help) ;;\n", stdout);
        }
    fputs("    esac\n}\n\n", stdout);
}

static const char *kind_of(const cli_option *option) {
    switch (option->kind) {
    case CLI_SWITCH: return "switch";
    case CLI_FORMAT: return "format";
    case CLI_SETS: return "set";
    case CLI_KEY: return "key";
    case CLI_LIST:
    case CLI_COUNT:
    case CLI_NUMBER:
    case CLI_CONVERTED: return "number";
    default: return "file";
    }
}

static void put_kinds(void) {
    fputs("_ride_kind() {\n    kind=none\n    case $1:$2:$3 in\n    *:--help) kind=switch ;;\n", stdout);
    for (uint32_t i = 0; i < cli_verbs_count; i++)
        for (const cli_word *word = cli_verbs[i].words; word != NULL && word->name != NULL; word++)
            for (uint32_t o = 0; o < word->options_count; o++)
                printf("    %s:%s:%s) kind=%s ;;\n", cli_verbs[i].name, word->name,
                       word->options[o].name[0] == '-' ? word->options[o].name : "", kind_of(&word->options[o]));
    fputs("    esac\n}\n\n", stdout);
}

static void put_keys(void) {
    const char *key, *const *words;
    fputs("_ride_keys() { reply=(", stdout);
    for (uint32_t i = 0; (key = ride_config_key(i, &words)) != NULL; i++)
        printf("%s%s%s", i > 0 ? " " : "", key, key[strlen(key) - 1] == '.' ? "" : "=");
    fputs("); }\n\n_ride_values() {\n    reply=()\n    case $1 in\n", stdout);
    for (uint32_t i = 0; (key = ride_config_key(i, &words)) != NULL; i++) {
        if (words == NULL) continue;
        printf("    %s) reply=(", key);
        for (; *words != NULL; words++) printf("%s%s", *words, words[1] != NULL ? " " : "");
        fputs(") ;;\n", stdout);
    }
    fputs("    esac\n}\n\n", stdout);
}

/* What is asked: given verb, word, the option before the cursor ("" = none) and what stands there, sets kind and reply. */
static const char ask[] =
    "# $1 verb, $2 its word, $3 the option whose value is asked (\"\" = none), $4 what is there so far:\n"
    "# what can follow is in reply; kind is file where a file can.\n"
    "_ride_ask() {\n"
    "    _ride_kind \"$1\" \"$2\" \"$3\"\n"
    "    reply=()\n"
    "    case $kind in\n"
    "    format) reply=(csv ndjson binary) ;;\n"
    "    set) case $4 in\n"
    "        *=*) _ride_values \"${4%%=*}\"; [ ${#reply[@]} -gt 0 ] || kind=file ;;\n"
    "        *) _ride_keys ;;\n"
    "        esac ;;\n"
    "    key) _ride_keys; reply=(\"${reply[@]%=}\") ;;\n"
    "    esac\n"
    "}\n\n";

/* COMP_WORDBREAKS cuts words at `=`; they are put together again, and what readline has already behind a `=` is cut off. */
static const char bash_part[] = "_ride() {\n"
                                "    local reply=() kind=none words=() at=0 glue=0 i cur verb sub='' option=''\n"
                                "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
                                "        if [[ ${COMP_WORDS[i]} == = && $i -gt 0 ]]; then words[at]+='='; glue=1\n"
                                "        elif ((glue)); then words[at]+=${COMP_WORDS[i]}; glue=0\n"
                                "        else at=${#words[@]}; words[at]=${COMP_WORDS[i]}; fi\n"
                                "    done\n"
                                "    cur=${words[at]}\n"
                                "    COMPREPLY=()\n"
                                "    if ((at == 1)); then\n"
                                "        _ride_verbs\n"
                                "        COMPREPLY=($(compgen -W \"${reply[*]}\" -- \"$cur\"))\n"
                                "        return\n"
                                "    fi\n"
                                "    verb=${words[1]}\n"
                                "    _ride_words \"$verb\"\n"
                                "    if ((${#reply[@]})); then\n"
                                "        if ((at == 2)); then\n"
                                "            COMPREPLY=($(compgen -W \"${reply[*]} --help\" -- \"$cur\"))\n"
                                "            return\n"
                                "        fi\n"
                                "        sub=${words[2]}\n"
                                "    fi\n"
                                "    if [[ ${words[at - 1]} == -?* && ${words[at - 1]} != *=* ]]; then\n"
                                "        _ride_kind \"$verb\" \"$sub\" \"${words[at - 1]}\"\n"
                                "        [[ $kind == switch || $kind == none ]] || option=${words[at - 1]}\n"
                                "    fi\n"
                                "    if [[ -z $option && $cur == --*=* ]]; then option=${cur%%=*} cur=${cur#*=}; fi\n"
                                "    if [[ -z $option && $cur == -* ]]; then\n"
                                "        _ride_options \"$verb\" \"$sub\"\n"
                                "        COMPREPLY=($(compgen -W \"${reply[*]}\" -- \"$cur\"))\n"
                                "        return\n"
                                "    fi\n"
                                "    _ride_ask \"$verb\" \"$sub\" \"$option\" \"$cur\"\n"
                                "    [[ $kind == set && $cur != *=* ]] && compopt -o nospace 2>/dev/null\n"
                                "    cur=${cur##*=}\n"
                                "    if ((${#reply[@]})); then COMPREPLY=($(compgen -W \"${reply[*]}\" -- \"$cur\"))\n"
                                "    elif [[ $kind == file ]]; then\n"
                                "        compopt -o filenames 2>/dev/null\n"
                                "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                                "    elif [[ -z $option ]]; then\n"
                                "        _ride_options \"$verb\" \"$sub\"\n"
                                "        COMPREPLY=($(compgen -W \"${reply[*]}\" -- \"$cur\"))\n"
                                "    fi\n"
                                "}\n"
                                "complete -F _ride ride\n";

static const char zsh_part[] =
    "_ride() {\n"
    "    local -a reply\n"
    "    local kind=none verb=${words[2]} sub='' option='' before=${words[CURRENT-1]} cur=${words[CURRENT]}\n"
    "    if ((CURRENT == 2)); then _ride_verbs; compadd -a reply; return; fi\n"
    "    _ride_words \"$verb\"\n"
    "    if ((${#reply})); then\n"
    "        if ((CURRENT == 3)); then compadd -a reply; compadd -- --help; return; fi\n"
    "        sub=${words[3]}\n"
    "    fi\n"
    "    if [[ $before == -?* && $before != *=* ]]; then\n"
    "        _ride_kind \"$verb\" \"$sub\" \"$before\"\n"
    "        [[ $kind == switch || $kind == none ]] || option=$before\n"
    "    fi\n"
    "    if [[ -z $option && $cur == --*=* ]]; then option=${cur%%=*} cur=${cur#*=}; compset -P 1 '*='; fi\n"
    "    if [[ -z $option && $cur == -* ]]; then _ride_options \"$verb\" \"$sub\"; compadd -a -- reply; return; fi\n"
    "    _ride_ask \"$verb\" \"$sub\" \"$option\" \"$cur\"\n"
    "    if [[ $kind == set && $cur != *=* ]]; then compadd -S '' -a -- reply; return; fi\n"
    "    [[ $cur == *=* ]] && compset -P '*='\n"
    "    if ((${#reply})); then compadd -a -- reply\n"
    "    elif [[ $kind == file ]]; then _files\n"
    "    elif [[ -z $option ]]; then _ride_options \"$verb\" \"$sub\"; compadd -a -- reply; fi\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _ride ]; then _ride \"$@\"; else compdef _ride ride; fi\n";

int cli_completion(int argc, char **argv) {
    const cli_word *word = cli_find_word("completion", cli_completion_words, argc, argv);
    if (word == NULL) return ride_status_exit_code(RIDE_E_USAGE);
    if (argc > 2) return cli_usage("completion", "takes one argument, not `%s` too", argv[2]);
    bool zsh = strcmp(word->name, "zsh") == 0;
    if (zsh) fputs("#compdef ride\n", stdout);
    printf("# Completion of ride for %s, made by `ride completion %s`.\n\n", word->name, word->name);
    put_verbs();
    put_options();
    put_kinds();
    put_keys();
    fputs(ask, stdout);
    return cli_print(zsh ? zsh_part : bash_part);
}
