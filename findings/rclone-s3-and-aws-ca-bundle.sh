#!/bin/sh
# rclone 1.60.1 of Debian 12 opens no S3 remote while AWS_CA_BUNDLE is set, not even one without TLS.
#
# AWS's own programs take a file of certificate authorities from that variable. Seen: rclone sends no request and exits with 1:
# "LoadCustomCABundleError: unable to load custom CA bundle, HTTPClient's transport unsupported type", "caused by: unsupported transport,
# *fshttp.Transport". The SDK reads the variable, and takes no transport but that of Go's library. A program that shows the last line alone
# names neither the variable nor the authorities. Without the variable, or if it is empty, the request is sent; a file in RCLONE_CA_CERT is used.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("rclone=1.60.1*")
asked = []


def answer(connection, head):
    asked.append(head)
    body = b'<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated></ListBucketResult>'
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)


url = f"http://127.0.0.1:{serve(answer)}"
bundle = "/etc/ssl/certs/ca-certificates.crt"


def listed(**variables):
    """The status of a listing, and whether a request was sent."""
    asked.clear()
    environment = {name: value for name, value in ENV.items() if name != "AWS_CA_BUNDLE"} | variables | {"RCLONE_CONFIG": write("rclone.conf", "")}
    remote = f":s3,provider=Other,access_key_id=a,secret_access_key=b,endpoint='{url}':bucket"
    code = status(ROOT + "/usr/bin/rclone", "lsf", "--retries", "1", "--low-level-retries", "1", remote, env=environment)
    return code, bool(asked)


expect({"none": listed(), "empty": listed(AWS_CA_BUNDLE=""), "AWS_CA_BUNDLE": listed(AWS_CA_BUNDLE=bundle), "RCLONE_CA_CERT": listed(RCLONE_CA_CERT=bundle)},
       {"none": (0, True), "empty": (0, True), "AWS_CA_BUNDLE": (1, False), "RCLONE_CA_CERT": (0, True)})
END
