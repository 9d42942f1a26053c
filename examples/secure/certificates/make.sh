#!/usr/bin/env bash
# Makes the certificate of the example anew: signed by itself, for this machine
# alone, good from 2020 to 2120.
#
# Needs OpenSSL 3. The results are checked in, so the example needs no OpenSSL.
# Its key is public: anyone could speak in its name, so nothing
# but this example should ever serve it.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# `openssl ca` can set the first day, so that no clock is too early.
touch "$work/issued"
cat >"$work/ca.conf" <<CONF
[ca]
default_ca = here
[here]
database = $work/issued
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
CONF

openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key.pem"
openssl req -new -key "$work/key.pem" -subj /CN=localhost -out "$work/request.pem"
openssl ca -batch -notext -config "$work/ca.conf" -selfsign -keyfile "$work/key.pem" \
    -in "$work/request.pem" -startdate 20200101000000Z -enddate 21200101000000Z \
    -out localhost.pem 2>"$work/log" || {
    cat "$work/log" >&2
    exit 1
}

cp "$work/key.pem" localhost.key

# By this, Chromium can be told of the one certificate that it needn't doubt.
openssl x509 -in localhost.pem -noout -pubkey | openssl pkey -pubin -outform der |
    openssl dgst -sha256 -binary | openssl base64 >public-key.sha256
