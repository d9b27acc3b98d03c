#!/usr/bin/env python3
"""Prints a domain's commands in force, one JSON line at each change: pip install confluent-kafka cryptography
    subscriber.py localhost:9092 stopbank.keyring shop [topic]     # brokers, public keys, domain
The rule is that of ../subscriber.md; what one instance obeys of all this is in instance.py."""
import base64, json, sys, time
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

def read_keyring(text):
    """Engines' public keys by id, from lines `key HEX role=engine`; one with limits (targets, times) is an error."""
    lines = [line.split("#")[0].split() for line in text.splitlines() if line.split("#")[0].strip()]
    keys = {digits[:16]: bytes.fromhex(digits) for _, digits, role in lines if "engine" in role[5:].split(",")}
    return {key_id: Ed25519PublicKey.from_public_bytes(public) for key_id, public in keys.items()}

def verify(keys, kind, key, value, headers):
    """Was the record signed by one of the keys, as this kind? Over the exact bytes; other headers are not trusted."""
    try:
        signature = base64.b64decode(headers["ce_signature"], validate=True)
        keys[headers["ce_keyid"]].verify(signature, f"stopbank-{kind}-v1\n{key}\n".encode() + value)
        return True
    except (KeyError, ValueError, InvalidSignature):
        return False

def offer(held, keys, domain, key, value, headers, broker_ms):
    """Holds the record if it is the highest of its key; True if it is. A tombstone, having no value, ends nothing."""
    if not value or not key.startswith(domain + "/") or not verify(keys, "command", key, value, headers):
        return False
    command = json.loads(value)
    place, late = (command["epoch"], command["sequence"]), broker_ms > command["issued_ms"] + 60_000
    if command["mode"] != "act" or late or place <= held.get(key, ((-1, -1),))[0]:
        return False
    held[key] = (place, broker_ms + min(command["ttl_ms"], 86_400_000), command)
    return True

def in_force(held, now_ms):
    """What is to be obeyed now: no releases, no leases that have ended; ratchets stay where they are."""
    return [command for _, ends_ms, command in held.values() if not command.get("released")
            and (now_ms < ends_ms or command["knob"] == "replicas")]

def main(brokers, keyring, domain, topic="stopbank.control"):
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
    keys, held, before = read_keyring(open(keyring).read()), {}, None
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "stopbank-subscriber", "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])  # topic = state
    while True:
        record = consumer.poll(0.2)
        if record is not None and not record.error() and record.key() is not None:
            headers = {name: (text or b"").decode(errors="replace") for name, text in record.headers() or []}
            key, broker_ms = record.key().decode(errors="replace"), record.timestamp()[1]
            offer(held, keys, domain, key, record.value(), headers, broker_ms)
        now = in_force(held, time.time() * 1000)
        if now != before:
            print(json.dumps({"at_ms": int(time.time() * 1000), "in_force": now}), flush=True)
            before = now

if __name__ == "__main__":
    main(*sys.argv[1:])
