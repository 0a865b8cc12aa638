#!/usr/bin/env python3
"""Application Insights' ingestion endpoint and an OTLP/HTTP collector, played.

    POST /v2.1/track   an array of envelopes, each checked as the service's swagger (Monitor.Exporters v2.1) has it
    POST /v1/metrics   an ExportMetricsServiceRequest in JSON, read by OpenTelemetry's own protocol classes
What is malformed is answered with 400 and kept under /_malformed. Tests say how to answer, and read what was taken:

    PUT /_answers      [{"status", "headers", "body", "take": [index, ...]}, ...]: for the next requests, one each; the
                       items in take (all by default when status is 200) count as taken
    GET /_items        what was taken, a JSON line each: {"path", "authorization", "item"}; an item is an envelope, or a
                       metric's name with one data point
    GET /_malformed    what was wrong, a line each
"""
import json
import re
import threading

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from peer import Peer, serve

lock = threading.Lock()
answers, items, malformed = [], [], []


def envelope_problem(item):
    """What is wrong with a TelemetryItem, or None."""
    event = item.get("data", {}).get("baseData", {})
    if not isinstance(item.get("name"), str) or len(item["name"]) > 128:
        return "name"
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(item.get("time"))):
        return "time"
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(item.get("iKey"))):
        return "iKey"
    if item["data"].get("baseType") != "EventData" or event.get("ver") != 2 or not event.get("name"):
        return "baseData"
    if any(not isinstance(v, str) or len(v) > 8192 for v in event.get("properties", {}).values()):
        return "properties"
    if any(not isinstance(v, (int, float)) for v in event.get("measurements", {}).values()):
        return "measurements"
    return "size" if len(json.dumps(item)) > 65536 else None


def read_breeze(body):
    envelopes = json.loads(body)
    for item in envelopes:
        problem = envelope_problem(item)
        if problem:
            raise ValueError(problem)
    return envelopes


def read_otlp(body):
    request = json_format.Parse(body, ExportMetricsServiceRequest())
    points = []
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    if point.time_unix_nano < point.start_time_unix_nano or point.WhichOneof("value") != "as_int":
                        raise ValueError("a data point of " + metric.name)
                    points.append({"metric": metric.name, "unit": metric.unit, "value": point.as_int,
                                   "attributes": {a.key: a.value.string_value for a in point.attributes}})
    return points


class Handler(Peer):
    def do_PUT(self):
        global answers
        with lock:
            answers = json.loads(self.body())
        self.answer(200)

    def do_GET(self):
        with lock:
            lines = items if self.path == "/_items" else malformed
            self.answer(200, "".join(line + "\n" for line in lines).encode())

    def do_POST(self):
        body = self.body()
        try:
            if self.headers["Content-Type"] != "application/json":
                raise ValueError("content type")
            taken = read_breeze(body) if self.path == "/v2.1/track" else read_otlp(body)
        except (ValueError, KeyError, json_format.ParseError) as problem:
            with lock:
                malformed.append(self.path + " " + repr(problem))
            self.answer(400, b"{}")
            return
        with lock:
            answer = answers.pop(0) if answers else {}
        status = answer.get("status", 200)
        kept = answer.get("take", range(len(taken)) if status == 200 else [])
        with lock:
            for index in kept:
                items.append(json.dumps({"path": self.path, "authorization": self.headers.get("Authorization"),
                                         "item": taken[index]}))
        default = {} if self.path == "/v1/metrics" else {"itemsReceived": len(taken), "itemsAccepted": len(taken), "errors": []}
        self.answer(status, json.dumps(answer.get("body", default)).encode(), {"Content-Type": "application/json", **answer.get("headers", {})})


if __name__ == "__main__":
    serve(Handler)
