/** Scripts that ask the program itself, by the hidden `__complete`: they need not know what it can do. */
export const SHELLS: Readonly<Record<string, (program: string) => string>> = {
  bash: (program) => `# bash completion for ${program}; to have it now: source <(${program} completion bash)

_${program}_complete() {
    local line=\${COMP_LINE:0:COMP_POINT} cur out directive candidate before sign
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    cur=\${words[\${#words[@]} - 1]}
    COMPREPLY=()
    out=$("\${words[0]}" __completeNoDesc "\${words[@]:1}" 2>/dev/null) || return
    directive=\${out##*:}
    while IFS= read -r candidate; do
        [[ -n $candidate && $candidate != :* ]] && COMPREPLY+=("$candidate")
    done <<<"$out"
    # bash takes words apart at these signs, and replaces the last part only.
    before=
    for sign in : =; do
        if [[ $COMP_WORDBREAKS == *$sign* && $cur == *$sign* ]]; then
            local head=\${cur%"\${cur##*$sign}"}
            ((\${#head} > \${#before})) && before=$head
        fi
    done
    [[ -n $before ]] && COMPREPLY=("\${COMPREPLY[@]#"$before"}")
    ((directive & 2)) && compopt -o nospace 2>/dev/null
    if ((\${#COMPREPLY[@]} == 0 && !(directive & 4))); then
        compopt -o default 2>/dev/null
    fi
}

complete -F _${program}_complete ${program}
`,
  zsh: (program) => `#compdef ${program}
# zsh completion for ${program}; to have it now: source <(${program} completion zsh)

_${program}() {
    local line name directive
    local -a out candidates space
    out=("\${(@f)$(\${words[1]} __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
    directive=\${out[-1]#:}
    for line in "\${(@)out[1,-2]}"; do
        [[ -z $line ]] && continue
        name=\${line%%$'\\t'*}
        name=\${name//:/\\\\:}
        [[ $line == *$'\\t'* ]] && name+=:\${line#*$'\\t'}
        candidates+=("$name")
    done
    ((directive & 2)) && space=(-S '')
    if ((\${#candidates})); then
        _describe '${program}' candidates "\${space[@]}"
    elif ((!(directive & 4))); then
        _files
    fi
}

if [[ \${funcstack[1]} == _${program} ]]; then
    _${program}
else
    compdef _${program} ${program}
fi
`,
  fish: (program) => `# fish completion for ${program}; to have it now: ${program} completion fish | source

function __${program}_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l out ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    set -l directive (string replace ':' '' -- $out[-1])
    set -e out[-1]
    if test (count $out) -gt 0
        printf '%s\\n' $out
    else if test (math "bitand($directive, 4)") -eq 0
        __fish_complete_path $current
    end
end

complete -c ${program} -e
complete -c ${program} -f -a '(__${program}_complete)'
`,
};
