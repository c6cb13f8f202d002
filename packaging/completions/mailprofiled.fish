# Completion for fish. It asks the program itself, so it knows what is installed.
complete -c mailprofiled -n __fish_use_subcommand -f -a "(mailprofiled help 2>/dev/null | string match -rg '^  ([a-z]+) +(.*)' | paste - -)"
complete -c mailprofiled -n 'not __fish_use_subcommand' -a "(mailprofiled (commandline -opc)[2] --help 2>/dev/null | string match -rg '^  (--[a-z-]+)')"
