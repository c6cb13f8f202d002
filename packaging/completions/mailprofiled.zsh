#compdef mailprofiled
# Completion for zsh. It asks the program itself, so it knows what is installed.
local -a list
if ((CURRENT == 2)); then
	list=(${(f)"$(mailprofiled help 2>/dev/null | sed -n 's/^  \([a-z]*\) *\(.*\)/\1:\2/p')"})
	_describe command list
elif [[ $PREFIX == -* ]]; then
	list=(${(f)"$(mailprofiled $words[2] --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')"})
	compadd -a list
else
	_files
fi
