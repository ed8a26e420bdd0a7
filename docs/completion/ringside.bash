# bash completion for ringside(1). Made from the option table; a test fails when it is stale.

_ringside()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i
    COMPREPLY=()

    # Behind the command the completion is the command's.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --) ((i++)); break ;;
        -O|--output|-u|--upload-period|-U|--url|-H|--host|-P|--port|--flush-timeout|-S|--service|-E|--environment|-V|--service-version|-T|--tags|--runtime-id|-e|--event|--preset|--frequency|--stack-sample-size|--maximum-pids|-p|--pid|--start-timeout|--nice|--cpu-affinity|--switch-user|--config|--capture-config|-l|--log-level|-o|--log-mode|-b|--internal-stats|--worker-period|--initial-loaded-libs-check-delay|--loaded-libs-check-interval|--socket)
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
    -S | --service) return ;;
    -E | --environment) return ;;
    -V | --service-version) return ;;
    -T | --tags) return ;;
    --runtime-id) return ;;
    -e | --event) return ;;
    --preset) mapfile -t COMPREPLY < <(compgen -W 'default cpu_only faults sched io' -- "$cur"); return ;;
    --frequency) return ;;
    --stack-sample-size) return ;;
    --maximum-pids) return ;;
    --start-timeout) return ;;
    --nice) return ;;
    --cpu-affinity) return ;;
    --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --capture-config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    -l | --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn notice informational debug' -- "$cur"); return ;;
    -o | --log-mode) mapfile -t COMPREPLY < <(compgen -f -W 'stdout stderr syslog disabled' -- "$cur"); return ;;
    esac

    local names=(
        --output
        --upload-period
        --service
        --environment
        --service-version
        --tags
        --runtime-id
        --event
        --preset
        --frequency
        --stack-sample-size
        --maximum-pids
        --enable
        --no-enable
        --wait
        --no-wait
        --start-timeout
        --nice
        --cpu-affinity
        --config
        --show-config
        --no-show-config
        --capture-config
        --log-level
        --log-mode
        --show-samples
        --no-show-samples
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
