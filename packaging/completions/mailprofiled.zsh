#compdef mailprofiled
# Completion for zsh. It asks the program itself, so it knows what is installed.
local -a list command
command=($words[2])
if ((CURRENT == 2)); then
	list=(${(f)"$(mailprofiled help 2>/dev/null | sed -n 's/^  \([a-z]*\) *\(.*\)/\1:\2/p')"})
	_describe command list
elif ((CURRENT == 3)) && [[ $command == (accounts|servers) ]]; then
	list=(${(f)"$(mailprofiled $command --help 2>/dev/null | sed -n 's/^  \([a-z]*\) [^ ]* *\(.*\)/\1:\2/p')"})
	_describe word list
elif ((CURRENT == 3)) && [[ $command == attach ]]; then
	list=(postfix sendmail)
	compadd -a list
elif [[ $PREFIX == -* ]]; then
	[[ $command != (accounts|servers) ]] || command+=($words[3])
	list=(${(f)"$(mailprofiled $command --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')"})
	compadd -a list
else
	_files
fi
