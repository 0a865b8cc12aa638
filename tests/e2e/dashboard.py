"""The companion files for Prometheus and Grafana, looked at.

    dashboard.py metrics YAML              names of the metrics that the exporter's queries make
    dashboard.py shape JSON                "ok", or what is wrong with the dashboard
    dashboard.py sql JSON                  its SQL, a statement a line, with Grafana's macros filled in
    dashboard.py ask JSON URL              asks a Prometheus each of its expressions: "N answered", or those that gave nothing
"""
import json
import re
import sys
import urllib.parse
import urllib.request


def metrics(path):
    """The file is plain: a namespace at the margin, its columns below "metrics", each with its usage."""
    namespace = column = None
    for line in open(path):
        if match := re.match(r"(\w+):$", line):
            namespace = match[1]
        elif match := re.match(r"    - (\w+):$", line):
            column = match[1]
        elif (match := re.match(r"        usage: (\w+)$", line)) and match[1] != "LABEL":
            yield f"{namespace}_{column}"


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def targets(dashboard, kind):
    return [(panel, target) for panel in panels(dashboard) for target in panel["targets"] if kind in target]


def overlap(a, b):
    return a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def complaints(dashboard):
    variables = {v["name"]: v for v in dashboard["templating"]["list"]}
    everything = dashboard["panels"]
    if len({p["id"] for p in everything}) != len(everything):
        yield "two panels have one id"
    for i, panel in enumerate(everything):
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            yield f"{panel['title']} is too wide"
        for other in everything[:i]:
            if overlap(place, other["gridPos"]):
                yield f"{panel['title']} lies over {other['title']}"
    for panel in panels(dashboard):
        if not panel.get("description"):
            yield f"{panel['title']} is not explained"
        for part in [panel, *panel["targets"]]:
            source = variables.get(part["datasource"]["uid"].strip("${}"))
            if source is None or source["query"] != part["datasource"]["type"]:
                yield f"{panel['title']} has a datasource that is none of the dashboard's"
    for word in set(re.findall(r"\$(\w+)", json.dumps([p["targets"] for p in panels(dashboard)]))):
        if word not in variables and not word.startswith("__"):
            yield f"${word} is no variable"
    for word in ("endpoint", "stream"):
        if not any(f"${word}" in json.dumps(p["targets"]) for p in panels(dashboard)):
            yield f"${word} is not used"


def sql(dashboard):
    for _, target in targets(dashboard, "rawSql"):
        text = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '6 hours' AND now()", target["rawSql"])
        yield " ".join(text.split())


def ask(url, expression):
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=30) as answer:
        return json.load(answer)["data"]["result"]


def expressions(dashboard):
    for panel, target in targets(dashboard, "expr"):
        text = target["expr"].replace("$__rate_interval", "1m").replace("$endpoint", ".*").replace("$stream", ".*")
        yield panel["title"], text
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
            yield variable["name"], f'{metric}{{{label}!=""}}'


def unanswered(dashboard, url):
    for title, text in expressions(dashboard):
        try:
            if not ask(url, text):
                yield f"{title}: {text}: nothing"
        except OSError as error:
            yield f"{title}: {text}: {error}"


def main(what, path, *rest):
    if what == "metrics":
        print("\n".join(metrics(path)))
        return
    dashboard = json.load(open(path))
    if what == "shape":
        print("\n".join(complaints(dashboard)) or "ok")
    elif what == "sql":
        print("\n".join(sql(dashboard)))
    else:
        print("\n".join(unanswered(dashboard, *rest)) or f"{len(list(expressions(dashboard)))} answered")


main(*sys.argv[1:])
