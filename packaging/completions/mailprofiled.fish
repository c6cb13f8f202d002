# Completion for fish. It asks the program itself, so it knows what is installed.
function __mailprofiled_words
	mailprofiled $argv 2>/dev/null | string match -rg '^  ([a-z]+) (?:.* )? +(.*)' | paste - -
end
function __mailprofiled_command
	set -l words (commandline -opc)[2..]
	contains -- "$words[1]" accounts servers; and set words $words[1..2]; or set words $words[1]
	string match -v -- '-*' $words
end
function __mailprofiled_flags
	mailprofiled (__mailprofiled_command) --help 2>/dev/null | string match -rg '^  (--[a-z-]+)'
end
complete -c mailprofiled -n __fish_use_subcommand -f -a '(__mailprofiled_words help)'
for command in accounts servers
	complete -c mailprofiled -n "__fish_seen_subcommand_from $command; and test (count (commandline -opc)) = 2" -f -a "(__mailprofiled_words $command --help)"
end
complete -c mailprofiled -n '__fish_seen_subcommand_from attach; and test (count (commandline -opc)) = 2' -f -a 'postfix sendmail'
complete -c mailprofiled -n 'not __fish_use_subcommand' -a '(__mailprofiled_flags)'
