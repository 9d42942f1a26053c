#!/usr/bin/env bash
# Makes the certificates that the tests serve, anew: good from 2020 to 2120.
#
# Needs OpenSSL 3 with its legacy provider, and `certutil` and `pk12util` of NSS
# (Debian's `libnss3-tools`). The results are checked in, so the tests need
# neither. Nothing outside this folder trusts them, and their keys and passwords
# are public: they are good for tests only.
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
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
CONF

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

# issue NAME SUBJECT EXTENSIONS ISSUER: a certificate for the key NAME.
issue() {
    openssl req -new -key "$work/$1.key" -subj "/CN=$2" -out "$work/$1.csr"
    openssl ca -batch -notext -config "$work/ca.conf" -in "$work/$1.csr" \
        -startdate 20200101000000Z -enddate 21200101000000Z \
        -extfile <(printf '%s\n' "$3") -out "$work/$1.crt" "${@:4}" 2>"$work/log" || {
        cat "$work/log" >&2
        return 1
    }
}

for name in root middle server; do key "$work/$name.key"; done
authority='basicConstraints=critical,CA:true
keyUsage=critical,keyCertSign'
issue root "pode test root" "$authority" -selfsign -keyfile "$work/root.key"
issue middle "pode test authority" "$authority" -cert "$work/root.crt" -keyfile "$work/root.key"
issue server "pode test server" 'basicConstraints=critical,CA:false
extendedKeyUsage=serverAuth
subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' -cert "$work/middle.crt" -keyfile "$work/middle.key"

# What a client of the tests trusts.
cp "$work/root.crt" root.pem

# The server's certificate comes first, then the one that signed it.
cat "$work/server.crt" "$work/middle.crt" >chain.pem
cp "$work/server.key" key.pem
key key-of-another.pem
# Of version 1: without extensions. Signed by itself.
openssl req -new -key key.pem -subj "/CN=pode test server" -out "$work/version-1.csr"
openssl ca -batch -notext -config "$work/ca.conf" -in "$work/version-1.csr" \
    -startdate 20200101000000Z -enddate 21200101000000Z -selfsign -keyfile key.pem \
    -out version-1.pem 2>>"$work/log"
# PKCS#8 as OpenSSL 3 encrypts it, as OpenSSL 1.0 did, and by PKCS#5 version 1.
openssl pkcs8 -topk8 -in key.pem -passout pass:secret -out key-with-password.pem
openssl pkcs8 -topk8 -v2 des3 -v2prf hmacWithSHA1 -in key.pem -passout pass:secret \
    -out key-by-old-ciphers.pem
openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in key.pem -passout pass:secret -out key-by-version-1.pem
# PKCS#1, encrypted by its PEM header.
openssl genrsa -traditional -aes256 -passout pass:secret -out key-in-the-old-way.pem 2048

printf 'correct horse\n' >password.txt
bundle() { openssl pkcs12 -export -in chain.pem -passout file:password.txt "$@"; }
# As OpenSSL 3 makes them: PBES2 with AES-256.
bundle -inkey key.pem -out modern.pfx
# As Windows and OpenSSL 1 made them: RC2 for certificates, 3DES for the key.
bundle -inkey key.pem -legacy -macalg sha1 -out legacy.pfx
bundle -nokeys -out without-key.pfx
# The key is another's; its certificate is not in the file.
openssl pkcs12 -export -inkey key-of-another.pem -nocerts -passout file:password.txt \
    -out without-certificate.pfx
# As NSS makes them, in BER.
certutil -N -d "sql:$work" --empty-password
pk12util -i modern.pfx -w password.txt -d "sql:$work"
pk12util -o nss.pfx -n "pode test server" -w password.txt -d "sql:$work"
# What comes after the others: another certificate, another password.
issue_renewed() {
    cp key-of-another.pem "$work/renewed.key"
    issue renewed "pode test server, renewed" 'basicConstraints=critical,CA:false
extendedKeyUsage=serverAuth
subjectAltName=DNS:localhost,IP:127.0.0.1' -cert "$work/middle.crt" -keyfile "$work/middle.key"
    cat "$work/renewed.crt" "$work/middle.crt" >"$work/renewed.pem"
    openssl pkcs12 -export -in "$work/renewed.pem" -inkey key-of-another.pem \
        -passout 'pass:battery staple' -out renewed.pfx
}
issue_renewed
