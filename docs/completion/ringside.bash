# bash completion for ringside(1). Made from the option table; a test fails when it is stale.

_ringside()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i
    COMPREPLY=()

    # Behind the command the completion is the command's.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --) ((i++)); break ;;
        -O|--output|-u|--upload-period|-U|--url|-H|--host|-P|--port|--site|--upload-timeout|--flush-timeout|--spool|--spool-limit|--spool-age|--user|--bearer-token-file|--tenant|--ca-file|--client-cert|--client-key|-S|--service|-E|--environment|-V|--service-version|-T|--tags|--git-repository-url|--git-commit-sha|--runtime-id|-e|--event|--preset|--frequency|--stack-sample-size|--maximum-pids|-p|--pid|--duration|--start-timeout|--nice|--cpu-affinity|--memory-limit|--worker-period|--switch-user|--config|--capture-config|-l|--log-level|-o|--log-mode|-b|--internal-stats|--initial-loaded-libs-check-delay|--loaded-libs-check-interval|--socket)
            # bash takes "=" for a word of its own
            [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
            ((i++)) ;;
        -*|=) ;;
        *) break ;;
        esac
    done
    if ((i < COMP_CWORD)); then
        if declare -F _command_offset >/dev/null; then _command_offset $i; else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
        return
    fi

    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
    case $prev in
    -O | --output) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    -u | --upload-period) return ;;
    -U | --url) return ;;
    -H | --host) return ;;
    -P | --port) return ;;
    --site) return ;;
    --upload-timeout) return ;;
    --flush-timeout) return ;;
    --spool) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --spool-limit) return ;;
    --spool-age) return ;;
    --user) return ;;
    --bearer-token-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --tenant) return ;;
    --ca-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --client-cert) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --client-key) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    -S | --service) return ;;
    -E | --environment) return ;;
    -V | --service-version) return ;;
    -T | --tags) return ;;
    --git-repository-url) return ;;
    --git-commit-sha) return ;;
    --runtime-id) return ;;
    -e | --event) return ;;
    --preset) mapfile -t COMPREPLY < <(compgen -W 'default cpu_only faults sched io' -- "$cur"); return ;;
    --frequency) return ;;
    --stack-sample-size) return ;;
    --maximum-pids) return ;;
    -p | --pid) return ;;
    --duration) return ;;
    --start-timeout) return ;;
    --nice) return ;;
    --cpu-affinity) return ;;
    --memory-limit) return ;;
    --worker-period) return ;;
    --switch-user) return ;;
    --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --capture-config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    -l | --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn notice informational debug' -- "$cur"); return ;;
    -o | --log-mode) mapfile -t COMPREPLY < <(compgen -f -W 'stdout stderr syslog disabled' -- "$cur"); return ;;
    esac

    local names=(
        --output
        --upload-period
        --url
        --do-export
        --no-do-export
        --host
        --port
        --agentless
        --no-agentless
        --site
        --upload-timeout
        --flush-timeout
        --spool
        --spool-limit
        --spool-age
        --user
        --bearer-token-file
        --tenant
        --ca-file
        --client-cert
        --client-key
        --proxy
        --no-proxy
        --service
        --environment
        --service-version
        --tags
        --git-repository-url
        --git-commit-sha
        --git-metadata
        --no-git-metadata
        --runtime-id
        --event
        --preset
        --frequency
        --stack-sample-size
        --maximum-pids
        --pid
        --global
        --no-global
        --enable
        --no-enable
        --wait
        --no-wait
        --duration
        --start-timeout
        --nice
        --cpu-affinity
        --memory-limit
        --worker-period
        --switch-user
        --drop-caps
        --no-drop-caps
        --config
        --show-config
        --no-show-config
        --capture-config
        --log-level
        --log-mode
        --show-samples
        --no-show-samples
        --doctor
        --help
        --help-all
        --version
    )
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${names[*]}" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
    fi
}
complete -o filenames -F _ringside ringside
