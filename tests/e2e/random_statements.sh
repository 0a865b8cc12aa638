#!/bin/bash
# Random statements (random_statements.py) give the same with batching on and off, and nothing breaks. SEED=n COUNT=n ask
# for others than the usual ones.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/equivalence.sh"
equivalence_tables
work=$RUN/random
mkdir -p "$work"

/usr/bin/python3 "$(dirname "$0")/random_statements.py" "${SEED:-1}" "${COUNT:-400}" >"$work/statements"

# outcomes BATCHING: what every statement gives, an empty line and its number in front.
outcomes() {
	{
		echo "SET ml_score.batching = $1;"
		awk '{ print "\\echo\n\\echo " NR; print $0 ";"; print "ROLLBACK;" }' "$work/statements"
	} | "$PGBIN/psql" -XAtq -v VERBOSITY=terse 2>&1 | grep -v 'no transaction in progress' | sed 's/^psql:<stdin>:[0-9]*: //'
}
outcomes off >"$work/off"
outcomes on >"$work/on"
is "$(grep -c '^[0-9]*$' <(grep -A 1 '^$' "$work/on" | grep -v '^$'))" "$(wc -l <"$work/statements")" "every statement was run"
/usr/bin/python3 - "$work" <<-'EOF'
	import re, sys
	def sections(name):
	    text = "\n" + open(f"{sys.argv[1]}/{name}").read()
	    return dict(part.partition("\n")[::2] for part in re.split(r"\n\n(?=\d+\n)", text))
	statements = open(f"{sys.argv[1]}/statements").read().splitlines()
	on, off = sections("on"), sections("off")
	differing = [k for k in off if off[k] != on.get(k)]
	failing = [k for k in off if "ERROR" in off[k]]
	with open(f"{sys.argv[1]}/verdict", "w") as verdict:
	    print(len(differing), len(failing), sum(len(v.splitlines()) > 1 for v in off.values()), file=verdict)
	for k in differing[:5]:
	    print(f"# {statements[int(k) - 1]}\n#  off: {off[k][:300]!r}\n#  on:  {on.get(k, '')[:300]!r}")
	for k in failing[:5]:
	    print(f"# {statements[int(k) - 1]}\n#  fails: {off[k][:300]!r}")
EOF
read -r differing failing with_rows <"$work/verdict"
is "$differing" 0 "none gives other rows when it is batched"
is "$failing" 0 "none fails"
cmp_ok "$with_rows" ">=" $((${COUNT:-400} / 2)) "most give rows"
done_testing
