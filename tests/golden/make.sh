#!/usr/bin/env bash
# Makes tests/golden/*.json anew with other people's programs, by hand and seldom: the tests read the files that are in git.
# Two virtual environments, since bob.measure wants an older numpy than the others. Needs Python 3.11 and a few minutes.
#   tests/golden/make.sh [FOLDER-FOR-ENVIRONMENTS]

set -euo pipefail
cd "$(dirname "$0")"
place=${1:-../../target/golden}
environment() { # NAME PACKAGE...
    local name=$1
    shift
    [[ -x $place/$name/bin/python ]] || python3 -m venv "$place/$name"
    "$place/$name/bin/pip" install --quiet "$@"
}
environment a bob-measure==6.1.1
environment b numpy==2.4.6 scipy==1.17.0 statsmodels==0.15.0 scikit-learn==1.9.0 lir==1.3.1 pyeer==0.5.6
"$place/a/bin/python" make.py bob
"$place/b/bin/python" make.py others
