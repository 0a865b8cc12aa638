#!/usr/bin/env python3
"""Data sets for tests/e2e/drift.sh, and what scipy and numpy say of them.

    drift_data.py DIR ROWS

writes DIR/data.csv (dataset, current, number, word; NULL is empty, "" is the empty word) and DIR/expected.csv (dataset,
feature, formulas, a column for each figure). The last data set has ROWS rows a side. Always the same ones.
"""

import math
import sys
import warnings

import numpy as np
from scipy import special, stats
from scipy.spatial import distance

FIGURES = ("psi", "jsd", "ks", "ks_p", "chi", "chi_p", "w", "nw", "baseline_null", "null", "outside")
WORDS = ["Ideal", "Premium", "Very Good", "Good", "Fair", "", " ", "żółć", "日本", "a,b", 'q"', "x" * 300]


def numeric_sets(rng):
    """(name, baseline, current); None is NULL."""
    normal = rng.normal
    yield "equal", normal(size=100), None
    yield "same law", normal(size=300), normal(size=300)
    yield "shifted", normal(size=500), normal(0.3, size=400)
    yield "wider", normal(size=777), normal(0, 2, size=555)
    yield "disjoint", normal(size=50), normal(100, size=60)
    yield "one each", np.array([1.5]), np.array([1.5])
    yield "one each, apart", np.array([1.5]), np.array([2.5])
    yield "one and many", np.array([0.1]), normal(size=40)
    yield "many and one", normal(size=40), np.array([0.1])
    yield "two values", np.array([0.0, 1] * 20), np.array([0.0, 1, 1] * 15)
    yield "constant", np.full(20, 7.0), np.full(30, 7.0)
    yield "constant, negative", np.full(20, -7.0), np.full(30, -7.0)
    yield "constant, zero", np.zeros(20), -np.zeros(30)
    yield "constants apart", np.full(20, 7.0), np.full(30, 8.0)
    yield "constant baseline", np.full(20, 7.0), normal(7, size=30)
    yield "constant current", normal(7, size=30), np.full(20, 7.0)
    yield "ties", rng.integers(0, 5, 200).astype(float), rng.integers(0, 6, 300).astype(float)
    yield "rounded", normal(size=2000).round(1), normal(0.1, size=1500).round(1)
    yield "integers", rng.integers(-1000, 1000, 999).astype(float), rng.integers(-900, 1100, 1001).astype(float)
    yield "on the edges", np.arange(0, 64, dtype=float), np.arange(0, 64, 2, dtype=float)
    yield "powers of two", 2.0 ** np.arange(64), 2.0 ** np.arange(10, 74)
    yield "exponential", rng.exponential(size=1024), rng.exponential(1.1, size=1023)
    yield "heavy tails", rng.standard_cauchy(size=3000), rng.standard_cauchy(size=2500)
    yield "tiny", normal(size=200) * 1e-300, normal(size=200) * 1e-300
    yield "huge", normal(size=200) * 1e300, normal(size=200) * 1e300
    yield "far from zero", 1e9 + normal(size=300), 1e9 + normal(0.2, size=300)
    yield "nearly constant", 5 + normal(size=300) * 1e-6, 5 + normal(size=300) * 1e-6
    yield "infinities in both", np.r_[normal(size=48), [np.inf, -np.inf]], np.r_[normal(size=48), [np.inf, -np.inf]]
    yield "infinities in baseline", np.r_[normal(size=98), [np.inf, np.inf]], normal(size=100)
    yield "infinities in current", normal(size=100), np.r_[normal(size=90), [-np.inf] * 5]
    yield "infinite only", np.array([np.inf, -np.inf]), np.array([np.inf, np.inf, -np.inf])
    yield "missing", np.r_[normal(size=80), [np.nan] * 20], np.r_[normal(size=70), [np.nan] * 50]
    yield "missing in current", normal(size=64), np.r_[normal(size=64), [np.nan] * 64]
    yield "no baseline", np.array([]), normal(size=10)
    yield "no current", normal(size=10), np.array([])
    yield "nothing", np.array([]), np.array([])
    yield "all missing", np.array([np.nan] * 5), normal(size=10)
    yield "all missing in current", normal(size=10), np.array([np.nan] * 5)
    for n, m in ((2, 3), (10, 7), (100, 100), (1000, 999), (4096, 4096), (10000, 9999), (10000, 10000)):
        yield f"sizes {n} and {m}", normal(size=n), normal(0.05, size=m)
    for n, m in ((10001, 10001), (20000, 7), (20000, 150), (15000, 30000), (40000, 300)):
        yield f"asymptotic, {n} and {m}", normal(size=n), normal(0.03, size=m)
    yield "asymptotic, drifted", normal(size=12000), normal(0.5, size=12000)
    yield "asymptotic, hardly any difference", np.arange(30000.0), np.arange(30000.0) + 0.5


def categories(rng, name, size, side):
    """Words of a data set: another law for each, some new in current."""
    if name in ("constant", "one each"):
        words = ["Ideal"] * size
    elif name == "two values":
        words = ["yes" if w < (4 if side else 5) else "no" for w in rng.integers(0, 10, size)]
    elif name == "two values, alike" or name == "equal":
        words = ["yes" if i % 3 else "no" for i in range(size)]
    elif name == "ties":
        words = [f"code {w}" for w in rng.integers(0, 400, size)]
    elif name == "disjoint":
        words = [f"{'new' if side else 'old'} {w}" for w in rng.integers(0, 5, size)]
    else:
        known = len(WORDS) if name.startswith(("shifted", "sizes")) and side else len(WORDS) - 2
        words = [WORDS[min(int(w), known - 1)] for w in rng.exponential(2 + side * 0.3, size)]
    if name.startswith("missing") and side:
        words[::4] = [None] * len(words[::4])
    return words


def finite_range(a, b):
    finite = np.r_[a, b]
    finite = finite[np.isfinite(finite)]
    return (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)


def bins(a, b):
    """Counts in Azure's bins: equal ones over the range of both; a single one where there is no range."""
    low, high = finite_range(a, b)
    if low == high:
        return np.array([len(a)]), np.array([len(b)])
    number = math.ceil(math.log2(min(len(a), len(b))) + 1)
    edges = low + (high - low) / number * np.arange(number + 1)
    edges[-1] = high
    return np.histogram(np.clip(a, low, high), edges)[0], np.histogram(np.clip(b, low, high), edges)[0]


def psi(p, q, formulas):
    if formulas == "azure":
        p, q = (p + 1) / p.sum(), (q + 1) / q.sum()
        return float(np.sum((q - p) * np.log(q / p)))
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(special.rel_entr(p, q)) + np.sum(special.rel_entr(q, p)))


def jsd(p, q, formulas):
    return float(distance.jensenshannon(p, q, base=2 if formulas == "azure" else None))


def wasserstein(a, b):
    if np.isfinite(a).all() and np.isfinite(b).all():
        return float(stats.wasserstein_distance(a, b))
    # scipy multiplies 0 by infinity: where the distribution functions are equal, there is nothing to carry
    support = np.unique(np.r_[a, b])
    gap = np.abs(np.searchsorted(np.sort(a), support[:-1], "right") / len(a) -
                 np.searchsorted(np.sort(b), support[:-1], "right") / len(b))
    with np.errstate(invalid="ignore"):
        return float(np.sum(np.where(gap > 0, gap * np.diff(support), 0)))


def of_numbers(a, b, formulas):
    rows_a, rows_b = len(a), len(b)
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    result = {"baseline_null": (rows_a - len(a)) / rows_a if rows_a else None, "null": (rows_b - len(b)) / rows_b if rows_b else None}
    if len(a) == 0 or len(b) == 0:
        return result
    p, q = bins(a, b)
    test = stats.ks_2samp(a, b)
    w = wasserstein(a, b)
    finite = a[np.isfinite(a)]
    deviation = np.std(finite, ddof=1) if len(finite) > 1 else 0
    result.update(psi=psi(p, q, formulas), jsd=jsd(p, q, formulas), ks=test.statistic, ks_p=test.pvalue, w=w,
                  nw=w / max(deviation, 0.001), outside=np.sum((b < a.min()) | (b > a.max())) / rows_b)
    return result


def of_words(a, b, formulas):
    rows_a, rows_b = len(a), len(b)
    a, b = [w for w in a if w is not None], [w for w in b if w is not None]
    result = {"baseline_null": (rows_a - len(a)) / rows_a if rows_a else None, "null": (rows_b - len(b)) / rows_b if rows_b else None}
    if not a or not b:
        return result
    words = sorted(set(a) | set(b))
    count_a, count_b = {}, {}
    for word in a:
        count_a[word] = count_a.get(word, 0) + 1
    for word in b:
        count_b[word] = count_b.get(word, 0) + 1
    p, q = np.array([count_a.get(w, 0) for w in words]), np.array([count_b.get(w, 0) for w in words])
    if formulas == "azure":
        with np.errstate(divide="ignore"):
            test = stats.chisquare(q, p / p.sum() * q.sum()) if (p > 0).all() else (math.inf, 0.0)
    else:
        test = stats.chi2_contingency(np.array([p, q]))
    result.update(psi=psi(p, q, formulas), jsd=jsd(p, q, formulas), chi=test[0], chi_p=None if math.isnan(test[1]) else test[1],
                  outside=sum(n for w, n in count_b.items() if w not in count_a) / rows_b)
    return result


def as_text(value):
    if value is None:
        return ""
    return repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")


def write_data(out, name, current, numbers, words):
    for number, word in zip(numbers, words):
        quoted = "" if word is None else '"' + word.replace('"', '""') + '"'
        # half of what is missing is NaN
        out.write(f'"{name}",{current},{"" if math.isnan(number) and len(words) % 2 else as_text(number)},{quoted}\n')


def main():
    warnings.simplefilter("ignore")
    directory, rows = sys.argv[1], int(sys.argv[2])
    rng = np.random.default_rng(20260301)
    sets = list(numeric_sets(rng))
    sets.append(("large", rng.normal(size=rows), rng.normal(0.001, size=rows)))
    with open(f"{directory}/data.csv", "w") as data, open(f"{directory}/expected.csv", "w") as expected:
        for name, a, b in sets:
            b = a.copy() if b is None else b
            words = [categories(rng, name, len(side), i) for i, side in enumerate((a, b))]
            write_data(data, name, "f", a, words[0])
            write_data(data, name, "t", b, words[1])
            for formulas in ("azure", "scipy"):
                for feature, figures in (("number", of_numbers(a, b, formulas)), ("word", of_words(*words, formulas))):
                    expected.write(f'"{name}",{feature},{formulas},' + ",".join(as_text(figures.get(f)) for f in FIGURES) + "\n")


main()
