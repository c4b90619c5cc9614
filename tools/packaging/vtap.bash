# SPDX-License-Identifier: GPL-2.0
# bash completion for vtap: the words are those that "vtap OBJECT help" prints

_vtap_words() {		# OBJECT: its words, one a line
	"$1" "$2" help 2> /dev/null | sed -n 's/^ *\[ \([a-z_]*\) .*/\1/p'
}

_vtap_values() {	# VTAP OBJECT WORD: the values of a word that takes one of several
	"$1" "$2" help 2> /dev/null | sed -n "s/^ *\[ $3 { \([a-z0-9| ]*\) } \].*/\1/p" | tr -d '|'
}

_vtap_names() {		# VTAP OBJECT: the names of its objects; a module that is not loaded is left alone
	[ ! -d /sys/module/vtap ] || "$1" -j "$2" show 2> /dev/null | grep -o '"name":"[^"]*"' | cut -d '"' -f 4
}

_vtap() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} vtap=${COMP_WORDS[0]}
	local i=1 object command words=""
	COMPREPLY=()
	while [ "$i" -lt "$COMP_CWORD" ] && [[ ${COMP_WORDS[i]} = -* ]]; do
		case ${COMP_WORDS[i]} in -n | -netns | -b | -batch) i=$((i + 1)) ;; esac
		i=$((i + 1))
	done
	object=${COMP_WORDS[i]:-} command=${COMP_WORDS[i + 1]:-}
	case $((COMP_CWORD - i)):$object:$command in
	-*)
		case $prev in
		-n | -netns) words=$(ip netns list 2> /dev/null | cut -d ' ' -f 1) ;;
		*) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
		esac ;;
	0:*)
		words="session rule port tap monitor top metrics check capture trace save apply help"
		[[ $cur != -* ]] || words="-json -pretty -statistics -details -oneline -brief -timestamp -netns -batch -force -check -Version -help" ;;
	1:top:*) words="by -b -n -d" ;;
	2:top:by) words="session port rule tap" ;;
	*:apply:* | *:save:* | *:metrics:*) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	1:session:* | 1:rule:*) words="show add set del flush help" ;;
	1:port:* | 1:tap:*) words="show help" ;;
	1:check:*) words="tap" ;;
	*:capture:*)
		words=$(_vtap_values "$vtap" rule "$prev")
		case $prev in
		capture) words="$(cd /sys/class/net && echo *) $(_vtap_words "$vtap" rule)" ;;
		master | port) words=$(cd /sys/class/net && echo *) ;;
		-w) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
		esac
		[ -n "$words" ] || words="$(_vtap_words "$vtap" rule) -w -c -G -W" ;;
	*:monitor:*) words="session rule port" ;;
	1:trace:*)
		words=$(_vtap_names "$vtap" port)
		[[ $cur != -* ]] || words=-live ;;
	2:trace:-live) words=$(_vtap_names "$vtap" port) ;;
	*:trace:*)
		case $prev in
		hex | pcap) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
		dir) words="ingress egress" ;;
		*) words="dir hex pcap $(_vtap_words "$vtap" rule)" ;;
		esac ;;
	2:session:show | 2:session:set | 2:session:del | 2:port:show) words=$(_vtap_names "$vtap" "$object") ;;
	2:rule:set) words="id" ;;
	2:rule:flush) words="pref" ;;
	2:session:flush) words="type" ;;
	*:session:* | *:rule:*)
		words=$(_vtap_values "$vtap" "$object" "$prev")
		case $prev in
		dev | master | port) words=$(cd /sys/class/net && echo *) ;;
		action) words="mirror skip" ;;
		mirror) words=$(_vtap_names "$vtap" session) ;;
		esac
		case $command in
		add | set | show | del) [ -n "$words" ] || words=$(_vtap_words "$vtap" "$object") ;;
		esac ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _vtap vtap
