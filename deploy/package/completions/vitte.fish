# Completes the verbs of vitte, then files.
complete -c vitte -n __fish_use_subcommand -f -a "run build test check watch emit explain why new init clean cache load reload unload modules inspect call key targets toolchains buildkit doctor daemon version help"
