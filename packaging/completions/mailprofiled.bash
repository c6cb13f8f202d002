# Completion for bash. It asks the program itself, so it knows what is installed.
_mailprofiled() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=("${COMP_WORDS[1]}") words
	case $prev in
	--config | --against | --postfix | --cf | --mc) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--against-baseline) COMPREPLY=($(compgen -W 'cautious standard strict' -- "$cur")); return ;;
	esac
	case $COMP_CWORD/$command in
	1/*) words=$(mailprofiled help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p') ;;
	2/accounts | 2/servers) words=$(mailprofiled "$command" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p') ;;
	2/attach) words='postfix sendmail' ;;
	*)
		[[ $command != accounts && $command != servers ]] || command+=("${COMP_WORDS[2]}")
		if [[ $cur != -* ]]; then
			COMPREPLY=($(compgen -f -- "$cur"))
			return
		fi
		words=$(mailprofiled "${command[@]}" --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p')
		;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _mailprofiled mailprofiled
