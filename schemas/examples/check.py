#!/usr/bin/env python3
"""Checks subscriber.py and instance.py against ../golden; needs `cryptography` and no broker."""
import json, pathlib
from instance import Subscriber, share
from subscriber import in_force, offer, read_keyring, verify

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
SIGNATURE_FAULTS = {"unsigned", "unknown_key", "bad_signature", "wrong_role"}


def main():
    keys = read_keyring((GOLDEN / "keyring.txt").read_text())
    index, scenario = (json.loads((GOLDEN / name).read_text()) for name in ("index.json", "scenario.json"))
    signed, held = [record for record in index["records"] if record["signature_input"]], {}
    for record in signed:
        kind, value = record["headers"]["ce_type"].split(".")[2], (GOLDEN / record["value"]).read_bytes()
        exact = f"stopbank-{kind}-v1\n{record['key']}\n".encode() + value
        assert (GOLDEN / record["signature_input"]).read_bytes() == exact, record["name"]
        assert verify(keys, kind, record["key"], value, record["headers"]) == (kind != "order"), record["name"]
        assert not verify(keys, kind, record["key"], value + b" ", record["headers"]), record["name"]
        taken = offer(held, keys, index["domain"], record["key"], value, record["headers"], record["broker_ms"])
        assert taken == (kind == "command"), record["name"]
    assert sorted(c["knob"] for c in in_force(held, record["broker_ms"])) == ["purge", "retry_budget"]
    subscriber = Subscriber(scenario["domain"], scenario["me"], keys)
    for step in scenario["offers"]:
        verdict = subscriber.offer(step["key"], step["value"].encode(), step["headers"], step["broker_ms"])
        wanted = "not_signed" if step["verdict"] in SIGNATURE_FAULTS else step["verdict"]
        assert verdict == wanted, (step["shows"], verdict)
    for after in scenario["after"]:
        got = sorted(command["id"] for command in subscriber.in_force(after["now_ms"]))
        assert got == sorted(command["id"] for command in after["in_force"]), after["now_ms"]
    assert [share(text) for text in ("", "a", "cart-7f9c-x2")] == [41, 64, 46]
    print(json.dumps({"signed": len(signed), "offers": len(scenario["offers"]), "moments": len(scenario["after"])}))


if __name__ == "__main__":
    main()
