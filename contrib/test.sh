#!/usr/bin/env bash
# The whole test suite, from a fresh clone:
#
#   bash contrib/test.sh                    everything
#   bash contrib/test.sh unit mount         these sessions of nox (nox -l lists them)
#   bash contrib/test.sh unit -- -k rename  with arguments for pytest
#
# The last line is pytest's own summary, the exit status is nox's.
set -euo pipefail
# shellcheck source=contrib/prepare.sh
. "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"

prepare dev
cd "$CLONE"

[ $# -eq 0 ] || [ "$1" = -- ] || set -- --session "$@"

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
"$VENV/bin/nox" "$@" 2>&1 | tee "$output" || status=$?

# nox has the last word about sessions; CI reads the last line and wants the one that counts the tests.
grep -E '^=+ .*\b(passed|failed|errors?|skipped|no tests ran)\b.* in [0-9.]+s' "$output" | tail -n 1 || true
exit "$status"
