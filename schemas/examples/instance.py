"""What one instance obeys: the whole rule of ../subscriber.md but for the owner's clamps and one-shots."""
import json, re
from subscriber import in_force, verify

PARTS = {"service", "operation", "caller", "version", "zone", "instance", "share_percent"}
CLASSES = ["SHEDDABLE", "SHEDDABLE_PLUS", "CRITICAL", "CRITICAL_PLUS"]
PHASES = ["closed", "ramp", "half_open", "open"]
SMALLER = {"queue_bound": "work_ms", "retry_budget": "ratio_permille", "timeout": "timeout_ms", "concurrency": "limit",
           "breaker_threshold": "failure_permille",
           "purge": "older_than_ms", "restart": "at_once_percent", "route": "share_permille"}


def share(instance):
    """The instance's place among 100: FNV-1a (64 bit), its halves XORed, modulo 100."""
    place = 0xCBF29CE484222325
    for byte in instance.encode():
        place = (place ^ byte) * 0x100000001B3 % 2**64
    return ((place >> 32) ^ (place & 0xFFFFFFFF)) % 100


def key_of(domain, target, knob):
    """The record key that belongs to a target and a knob."""
    text = f"{target['caller']}->" if "caller" in target else ""
    text += target["service"]
    text += f":{target['operation']}" if "operation" in target else ""
    for name, part in (("version", "version"), ("zone", "zone"), ("instance", "instance"), ("share", "share_percent")):
        text += f"@{name}={target[part]}" if part in target else ""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "\ufffd", f"{domain}/{text}/{knob}")


def strictness(setting):
    """Comparable within one knob: the larger restricts more."""
    knob = setting["knob"]
    if knob == "admission":
        return (CLASSES.index(setting["lowest"]), -setting["fraction_permille"])
    if knob == "breaker":
        return (PHASES.index(setting["phase"]),)
    return (-setting[SMALLER[knob]],) if knob in SMALLER else (setting.get("level", setting.get("count")),)


class Subscriber:
    def __init__(self, domain, me, keys):
        self.domain, self.me, self.keys, self.held = domain, me, keys, {}

    def is_meant_by(self, target):
        same = all(target.get(part, self.me[part]) == self.me[part] for part in ("version", "zone", "instance"))
        obeying = target.get("caller", target["service"]) == self.me["service"]
        return obeying and same and share(self.me["instance"]) < target.get("share_percent", 100)

    def offer(self, key, value, headers, broker_ms):
        """Takes a record of the control topic; gives `accepted` or the reason why it was dropped."""
        if not value:
            return "tombstone"
        if not key.startswith(self.domain + "/"):
            return "wrong_domain"
        try:
            command = json.loads(value) if len(value) <= 262_144 else {}
            target, setting, released = command["target"], command.get("setting"), command.get("released", False)
            if set(target) - PARTS or released != (setting is None) or (setting and setting["knob"] != command["knob"]):
                return "malformed"  # an unknown part of a target would widen the command if it were ignored
            place, ends_ms = (command["epoch"], command["sequence"]), broker_ms + min(command["ttl_ms"], 86_400_000)
            if key != key_of(self.domain, target, command["knob"]):
                return "key_mismatch"
            if command["mode"] != "act":
                return "not_to_obey"
            if not self.is_meant_by(target):
                return "not_for_me"
            if key in self.held and place <= self.held[key][0]:
                return "older"
            if not verify(self.keys, "command", key, value, headers):
                return "not_signed"
            if broker_ms > command["issued_ms"] + 60_000:
                return "late"
        except (KeyError, TypeError, ValueError):
            return "malformed"
        self.held[key] = (place, ends_ms, command)
        return "accepted"

    def in_force(self, now_ms):
        """For each knob of each scope the strictest command."""
        winners = {}
        for command in in_force(self.held, now_ms):
            target = command["target"]
            scope = (target["service"] if "caller" in target else None, target.get("operation"), command["knob"])
            best = winners.get(scope)
            if best is None or strictness(command["setting"]) > strictness(best["setting"]):
                winners[scope] = command
        return list(winners.values())
