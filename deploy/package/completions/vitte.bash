# Completes the verbs of vitte, then files.
_vitte() {
    local verbs="run build test check watch emit explain why new init clean cache load reload unload modules inspect call key targets toolchains buildkit doctor daemon version help"
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "${COMP_WORDS[1]}")
    fi
}
complete -o default -F _vitte vitte
