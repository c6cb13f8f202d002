# Completion for bash. It asks the program itself, so it knows what is installed.
_mailprofiled() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words
	case $prev in
	--config | --against) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	esac
	if ((COMP_CWORD == 1)); then
		words=$(mailprofiled help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')
	elif [[ $cur == -* ]]; then
		words=$(mailprofiled "${COMP_WORDS[1]}" --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
	else
		COMPREPLY=($(compgen -f -- "$cur"))
		return
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _mailprofiled mailprofiled
