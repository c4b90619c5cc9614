# SPDX-License-Identifier: GPL-2.0
# bash completion for vtap, which knows its words itself

_vtap() {
	local words
	mapfile -t words < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
	[ "${words[*]}" != @files ] || mapfile -t words < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
	COMPREPLY=("${words[@]}")
}
complete -F _vtap vtap
