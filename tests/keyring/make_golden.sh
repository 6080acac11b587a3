#!/bin/sh
# Makes tests/golden/keyring anew with OpenSSL's command line and plain Python only. The files are kept in the repository; run this
# only when a format gets a new version. Usage: tests/keyring/make_golden.sh, in the project's folder.
set -eu
out=tests/golden/keyring
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
master=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
key=a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf
context=4545444b0101000474657374
mkdir -p "$out"

openssl genrsa -out "$tmp/rsa.pem" 2048 2>/dev/null
openssl rsa -in "$tmp/rsa.pem" -traditional -outform DER -out "$out/rsa2048.der" 2>/dev/null
openssl req -x509 -new -key "$tmp/rsa.pem" -subj '/C=US/O=MyCo/CN=ITOperations' -days 10000 -outform PEM -out "$out/rsa2048.pem"
python3 tests/keyring/token_vector.py make 2 2048 ITOPS.KLM20.CERT $master < "$out/rsa2048.der" > "$out/token-rsa2048.bin"
printf '%s' $key | xxd -r -p > "$tmp/key"
openssl pkeyutl -encrypt -certin -inkey "$out/rsa2048.pem" -in "$tmp/key" -pkeyopt rsa_padding_mode:oaep \
    -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -pkeyopt rsa_oaep_label:$context -out "$out/wrapped-rsa2048.bin"
python3 tests/keyring/token_vector.py make 1 256 AES.KEY $master < "$tmp/key" > "$out/token-aes256.bin"
# Material of a managed object (keyring/TOKEN.md): version, flags, object, format, algorithm, bits, curve, compression, then the key.
printf '%s' 0100000000020000000100000003000001000000000000000000$key | xxd -r -p > "$tmp/clear"
python3 tests/keyring/token_vector.py make 4 0 KMIP.018f2f3c-0b1a-7c3d-8e4f-5a6b7c8d9e0f $master < "$tmp/clear" > "$out/token-material.bin"

for bits in 256 384; do
    openssl ecparam -name "$([ $bits = 256 ] && echo prime256v1 || echo secp384r1)" -genkey -noout -out "$tmp/ec.pem"
    openssl ec -in "$tmp/ec.pem" -outform DER -out "$out/ec$bits.der" 2>/dev/null
    openssl req -x509 -new -key "$tmp/ec.pem" -subj "/C=US/O=MyCo/CN=EC $bits" -days 10000 -outform PEM -out "$out/ec$bits.pem"
    python3 tests/keyring/token_vector.py make 3 $bits EC.KEY.P$bits $master < "$out/ec$bits.der" > "$out/token-ec$bits.bin"
    openssl pkey -in "$tmp/ec.pem" -pubout -out "$tmp/pub.pem"
    openssl ecparam -name "$([ $bits = 256 ] && echo prime256v1 || echo secp384r1)" -genkey -noout -out "$tmp/eph.pem"
    openssl pkeyutl -derive -inkey "$tmp/eph.pem" -peerkey "$tmp/pub.pem" -out "$tmp/z"
    # The point is the end of the DER SubjectPublicKeyInfo.
    openssl pkey -in "$tmp/eph.pem" -pubout -outform DER | tail -c $((1 + 2 * bits / 8)) > "$tmp/point"
    python3 tests/keyring/ec_vector.py "$(xxd -p -c 999 "$tmp/z")" "$(xxd -p -c 999 "$tmp/point")" $context $key |
        xxd -r -p > "$out/wrapped-ec$bits.bin"
done

# A KEYXFER file (keyring/KEYXFER.md) by base64 and sha256sum.
pattern=$(python3 -c "import hashlib; print(hashlib.sha256(b'klm verification pattern' + bytes(range(32))).hexdigest()[:16].upper())")
{
    printf 'KLM-KEYXFER 1\nLabel: AES.KEY\nVerification-Pattern: %s\nToken-Bytes: %s\n\n' "$pattern" "$(wc -c < "$out/token-aes256.bin")"
    base64 -w 64 "$out/token-aes256.bin"
} > "$tmp/xfer"
{
    cat "$tmp/xfer"
    printf 'SHA-256: %s\n' "$(sha256sum < "$tmp/xfer" | cut -d' ' -f1 | tr a-f A-F)"
} > "$out/keyxfer-aes256.txt"
chmod 644 "$out"/*
