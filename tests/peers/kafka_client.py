"""Looks after topics of a broker, for tests/lib/kafka.sh.

    kafka_client.py HOST:PORT topic NAME PARTITIONS      make it, wait until each partition has a leader
    kafka_client.py HOST:PORT partitions NAME TOTAL      give it more partitions
    kafka_client.py HOST:PORT delete NAME
    kafka_client.py HOST:PORT produce NAME [commit|abort]    an event a line of standard input, as a JSON object;
                                                             with the last word in a transaction, ended so
    kafka_client.py HOST:PORT offsets NAME               lines "partition low high"
    kafka_client.py HOST:PORT expire NAME PARTITION OFFSET   delete the events before OFFSET
    kafka_client.py HOST:PORT forbid|allow NAME          deny it to the users of Event Hubs' listener, or no longer
    kafka_client.py HOST:PORT login KEY=VALUE...         connect with these settings; token=... is a bearer token
"""

import base64
import json
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, NewPartitions, NewTopic, ResourcePatternType, ResourceType,
)

TIMEOUT = 60
USERS = ["User:$ConnectionString", "User:tests"]


def finish(futures):
    """The client that began these must be kept until then: none of them ends after it."""
    for future in futures.values():
        future.result(TIMEOUT)


def wait_for_leaders(admin, name, partitions):
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        known = admin.list_topics(name, timeout=TIMEOUT).topics[name].partitions
        if len(known) == partitions and all(one.leader >= 0 for one in known.values()):
            return
        time.sleep(0.05)
    raise TimeoutError(f"topic {name} has no leaders")


def topic(server, name, partitions):
    admin = AdminClient(server)
    finish(admin.create_topics([NewTopic(name, int(partitions), 1)]))
    wait_for_leaders(admin, name, int(partitions))


def partitions(server, name, total):
    admin = AdminClient(server)
    finish(admin.create_partitions([NewPartitions(name, int(total))]))
    wait_for_leaders(admin, name, int(total))


def delete(server, name):
    admin = AdminClient(server)
    finish(admin.delete_topics([name]))
    while name in admin.list_topics(timeout=TIMEOUT).topics:
        time.sleep(0.05)


def event(line):
    """The arguments of produce() for a line."""
    fields = json.loads(line)
    if "value_base64" in fields:
        fields["value"] = base64.b64decode(fields.pop("value_base64"))
    elif isinstance(fields.get("value"), (dict, list)):
        fields["value"] = json.dumps(fields["value"])
    return fields


def produce(server, name, end=None):
    failed = []
    settings = {**server, "linger.ms": 5}
    if end:
        settings["transactional.id"] = "tests-" + name
    producer = Producer(settings)
    if end:
        producer.init_transactions(TIMEOUT)
        producer.begin_transaction()
    for line in sys.stdin:
        producer.produce(name, on_delivery=lambda error, _: failed.append(error) if error else None, **event(line))
        producer.poll(0)
    producer.flush(TIMEOUT)
    if end == "commit":
        producer.commit_transaction(TIMEOUT)
    elif end == "abort":
        producer.abort_transaction(TIMEOUT)
    if failed:
        raise KafkaException(failed[0])


def offsets(server, name):
    consumer = Consumer({**server, "group.id": "tests"})
    known = consumer.list_topics(name, timeout=TIMEOUT).topics[name]
    if known.error:
        raise KafkaException(known.error)
    for number in sorted(known.partitions):
        low, high = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=TIMEOUT)
        print(number, low, high)
    consumer.close()


def expire(server, name, partition, offset):
    admin = AdminClient(server)
    finish(admin.delete_records([TopicPartition(name, int(partition), int(offset))]))


def denial(kind, name, user, operation, permission):
    return kind(ResourceType.TOPIC, name, ResourcePatternType.LITERAL, user, "*", operation, permission)


def forbid(server, name):
    denials = [denial(AclBinding, name, user, AclOperation.ALL, AclPermissionType.DENY) for user in USERS]
    admin = AdminClient(server)
    finish(admin.create_acls(denials))


def allow(server, name):
    filters = [denial(AclBindingFilter, name, user, AclOperation.ANY, AclPermissionType.ANY) for user in USERS]
    admin = AdminClient(server)
    finish(admin.delete_acls(filters))


def login(server, *settings):
    """Print "ok", or what the client says of its connections."""
    given = dict(word.split("=", 1) for word in settings)
    errors = []
    token = given.pop("token", None)
    if token:
        given["oauth_cb"] = lambda _: (token, time.time() + 300)
    admin = AdminClient({**server, **given, "error_cb": errors.append, "log_level": 0})
    end = time.monotonic() + TIMEOUT
    while not errors and time.monotonic() < end:
        admin.poll(0.1)
        try:
            admin.list_topics(timeout=1)
            print("ok")
            return
        except KafkaException:
            admin.poll(0)
    print(*(f"{error.name()}: {error.str()}" for error in errors), sep="\n")


if __name__ == "__main__":
    globals()[sys.argv[2]]({"bootstrap.servers": sys.argv[1], "log_level": 3}, *sys.argv[3:])
