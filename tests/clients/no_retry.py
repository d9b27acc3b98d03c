"""Asks a guarded server as common Python clients do. Arguments: host:port of a server that refuses with 429, of one that
refuses with 503. Prints one JSON line for each case; the server counts the tries."""
import json, sys
import grpc, requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

MILD, USUAL = sys.argv[1:3]
SHEDDABLE = {"stopbank-criticality": "SHEDDABLE"}

# What people write: nothing but a number; the example of urllib3's and requests' own documentation.
PLAIN = Retry(total=3, backoff_factor=0.05, raise_on_status=False)
LISTED = Retry(total=3, backoff_factor=0.05, status_forcelist=[502, 503, 504], raise_on_status=False)

POLICY = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": {
    "maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "0.2s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}}]})


def told(case, **what):
    print(json.dumps({"case": case, **what}), flush=True)


def over_http(case, server, path, retry):
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retry))
    answer = session.get(f"http://{server}/{path}/{case}", headers=SHEDDABLE, timeout=20)
    told(case, status=answer.status_code)


def over_grpc(channel, case, method):
    call = channel.unary_unary(f"/no.Retry/{method}-{case}", request_serializer=None, response_deserializer=None)
    try:
        call(b"", timeout=20, metadata=tuple(SHEDDABLE.items()))
        told(case, code="OK")
    except grpc.RpcError as error:
        told(case, code=error.code().name)


for name, retry in (("plain", PLAIN), ("listed", LISTED)):
    for status, server in (("429", MILD), ("503", USUAL)):
        over_http(f"{name}-{status}", server, "shed", retry)
over_http("purged-429", MILD, "purged", LISTED)
over_http("fails", USUAL, "fails", LISTED)

states = []
options = [("grpc.enable_retries", 1), ("grpc.service_config", POLICY)]
with grpc.insecure_channel(USUAL, options=options) as channel:
    channel.subscribe(states.append, try_to_connect=True)
    grpc.channel_ready_future(channel).result(timeout=20)
    for number in range(20):
        over_grpc(channel, f"grpc-{number}", "shed")
    over_grpc(channel, "grpc-purged", "purged")
    well = grpc.ChannelConnectivity.TRANSIENT_FAILURE not in states and states[-1] == grpc.ChannelConnectivity.READY
    over_grpc(channel, "grpc-fails", "fails")
    told("channel", well=well)
