"""What one would write by hand for drift: both sides out of PostgreSQL, figures by scipy.

    drift_client.py "PSQL COMMAND" TABLE      prints the seconds it took

COPY in CSV through psql into pandas, which is the quickest of the usual ways; the figures are those of ml_score.drift.
"""

import math
import shlex
import subprocess
import sys
import time

import numpy as np
import pandas
from scipy import stats
from scipy.spatial import distance

COLUMNS = 'carat, cut, color, clarity, depth, "table", x, y, z'


def fetch(psql, table, current):
    query = f"COPY (SELECT {COLUMNS} FROM {table} WHERE current = {current}) TO STDOUT (FORMAT csv, HEADER)"
    with subprocess.Popen(shlex.split(psql) + ["-c", query], stdout=subprocess.PIPE) as process:
        return pandas.read_csv(process.stdout)


def of_shares(p, q):
    smoothed_p, smoothed_q = (p + 1) / p.sum(), (q + 1) / q.sum()
    psi = np.sum((smoothed_q - smoothed_p) * np.log(smoothed_q / smoothed_p))
    return psi, distance.jensenshannon(p, q, base=2)


def of_numbers(a, b):
    number = math.ceil(math.log2(min(len(a), len(b))) + 1)
    edges = np.histogram_bin_edges(np.r_[a, b], number)
    test = stats.ks_2samp(a, b)
    outside = np.mean((b < a.min()) | (b > a.max()))
    return (*of_shares(np.histogram(a, edges)[0], np.histogram(b, edges)[0]), test.statistic, test.pvalue,
            stats.wasserstein_distance(a, b) / np.std(a, ddof=1), outside)


def of_words(a, b):
    p, q = a.value_counts().align(b.value_counts(), fill_value=0)
    p, q = p.to_numpy(), q.to_numpy()
    test = stats.chisquare(q, p / p.sum() * q.sum())
    return (*of_shares(p, q), test.statistic, test.pvalue, q[p == 0].sum() / q.sum())


def main():
    start = time.monotonic()
    baseline, current = fetch(sys.argv[1], sys.argv[2], "false"), fetch(sys.argv[1], sys.argv[2], "true")
    for name in baseline:
        a, b = baseline[name], current[name]
        figures = (a.isna().mean(), b.isna().mean())
        a, b = a.dropna(), b.dropna()
        figures += of_numbers(a.to_numpy(), b.to_numpy()) if a.dtype == float else of_words(a, b)
        print(name, *figures, file=sys.stderr)
    print(time.monotonic() - start)


main()
