#!/usr/bin/env python3
# ride-test: timeout=900
# ride-test: waits
"""TLS, logins and rights against a real broker: what is right works, and what is wrong is told as what it is. SCRAM runs against
Kafka 3.9 where librdkafka is older than 2.6.1, whose SCRAM Kafka 4 refuses."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from kafka_service import DRIVER, Driver, Kafka  # noqa: E402

# Rights are needed by everybody but who comes without a login.
OPTIONS = ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer;super.users=User:ANONYMOUS;"
           "allow.everyone.if.no.acl.found=false")
OLD = "3.9.2"


def options_of(env):
    """What is right: a login by password, one by certificate."""
    login = {"brokers": env["sasl"], "group": "tls", "topic": "tx", "security": "sasl_ssl", "ca": env["ca"], "mechanism": "PLAIN",
             "user": "ride", "password_file": "password"}
    client = {"brokers": env["tls"], "group": "tls", "topic": "tx", "security": "ssl", "ca": env["ca"], "certificate": env["certificate"],
              "key": env["key"], "key_password_file": "key-password"}
    return login, client


def check_refusals(kafka, scram_works):
    login, client = options_of(kafka.env)
    scram = login | {"mechanism": "SCRAM-SHA-256"}
    bare = {k: v for k, v in client.items() if k not in ("certificate", "key", "key_password_file")}
    refused = "the broker refuses the login of "
    rights = "no right to use the topic tx (grant"
    cases = [  # options, exit code, words
        (login | {"password_file": "wrong"}, 69, refused + "ride by PLAIN"),
        (login | {"user": "nobody"}, 69, refused + "nobody by PLAIN"),
        (scram | {"password_file": "wrong"}, 69, refused + "ride by SCRAM-SHA-256"),
        (login | {"mechanism": "SCRAM-SHA-512"}, 69, "SCRAM-SHA-512"),
        (login | {"ca": kafka.env["other_ca"]}, 69, "certificate is signed by no CA of"),
        (login | {"ca": "nowhere.pem"}, 78, "cannot read nowhere.pem: No such file"),
        (login | {"password_file": "nowhere"}, 78, "cannot read the password in nowhere"),
        (login | {"password_file": "empty"}, 78, "it is empty"),
        (login | {"security": "sasl-tls"}, 78, "security.protocol"),
        (client | {"key_password_file": "password"}, 78, "ssl.key.location"),
        (bare, 69, "the broker refuses our certificate"),
        (login, 69, rights),
        (client, 69, rights),
        (scram, 69, rights if scram_works else "Kafka 4 needs librdkafka 2.6.1 for it"),
    ]
    for options, code, words in cases:
        feed = Driver("feed", **options, seconds=20)
        feed.end(code=code)
        text = feed.events[-1].get("text", "")
        assert words in text, (words, feed.events, feed.log)
        print(f"  {text}")
        assert not any("ride-secret" in line or "key-secret" in line for line in [text, *feed.log])
    # A port of another kind: not final, since it may be the broker that is wrong, but said.
    feed = Driver("feed", brokers=kafka.env["sasl"], group="tls", topic="tx", seconds=4)
    feed.wait(lambda d: d.of("health"), told="health")
    feed.end()
    assert not feed.healthy() and feed.of("health")[-1]["why"], feed.events
    print(f"  {feed.of('health')[-1]['why']}")


def check_right(kafka, logins):
    acls = "kafka.admin.AclCommand" if kafka.version.startswith("3") else "org.apache.kafka.tools.AclCommand"
    kafka.service("run", acls, "--bootstrap-server", kafka.bootstrap, "--add", "--allow-principal", "User:ride", "--allow-principal",
                  "User:CN=client", "--operation", "All", "--topic", "*", "--group", "*", "--cluster")
    Path("lines").write_text("".join(f"k{i}\tv{i}\n" for i in range(1000)))
    for number, options in enumerate(logins):
        outlet = Driver("outlet", **{k: v for k, v in options.items() if k != "group"}, **{"in": "lines"})
        assert outlet.end()["delivered"] == 1000
        feed = Driver("feed", **options | {"group": f"tls{number}"}, ends=1, store=1)
        assert feed.end()["messages"] == 1000 * (number + 1), feed.events
        print(f"  in and out: {options['security']} {options.get('mechanism', 'certificate')}, Kafka {kafka.version}")


def main():
    os.chdir(tempfile.mkdtemp(prefix="ride-test-kafka-"))
    for name, text in (("password", "ride-secret\n"), ("wrong", "ride-sekret\n"), ("key-password", "key-secret\n"), ("empty", "")):
        Path(name).write_text(text)
    with Kafka(secure=True, options=OPTIONS) as kafka:
        version = subprocess.run([DRIVER, "version"], capture_output=True, text=True, check=True).stdout
        numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
        scram_works = numbers >= (2, 6, 1) or kafka.version.startswith("3")
        print(f"{version.strip()}, Kafka {kafka.version}")
        kafka.create("tx", 2)
        check_refusals(kafka, scram_works)
        login, client = options_of(kafka.env)
        scram = login | {"mechanism": "scram-sha-256"}  # small letters will do
        check_right(kafka, [login, client, *([scram] if scram_works else [])])
    if not scram_works:
        with Kafka(secure=True, options=OPTIONS, version=OLD) as kafka:
            kafka.create("tx", 2)
            login, _ = options_of(kafka.env)
            check_right(kafka, [login | {"mechanism": "scram-sha-256"}])


main()
