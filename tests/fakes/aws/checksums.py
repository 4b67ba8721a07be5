"""What S3 checks about a body against its headers: checksums, Content-MD5, encryption, tags, storage class."""

import base64
import binascii
import hashlib
import json
import zlib
from urllib.parse import parse_qsl

from bedrock.exchange import Request

from .errors import AwsError


def _table(polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
        table.append(byte)
    return table


CRC32C, CRC64NVME = _table(0x82F63B78), _table(0x9A6C9329AC4BC9B5)


def _crc(data: bytes, table: list[int], bits: int) -> bytes:
    value = mask = (1 << bits) - 1
    for byte in data:
        value = table[(value ^ byte) & 255] ^ value >> 8
    return (value ^ mask).to_bytes(bits // 8, "big")


ALGORITHMS = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"), "crc32c": lambda data: _crc(data, CRC32C, 32),
    "crc64nvme": lambda data: _crc(data, CRC64NVME, 64), "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}
STORAGE_CLASSES = {"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"}


def check_checksum(request: Request) -> dict[str, str]:
    """The checksum headers to answer with; raises what S3 answers to a wrong one."""
    given = {name: request.header(f"x-amz-checksum-{name}") for name in ALGORITHMS}
    given = {name: value for name, value in given.items() if value is not None}
    wanted = (request.header("x-amz-sdk-checksum-algorithm") or "").lower()
    if wanted and wanted not in given:
        raise AwsError(400, "InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                       "headers were found.")
    if len(given) > 1:
        raise AwsError(400, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    for name, value in given.items():
        computed = ALGORITHMS[name](request.body)
        try:
            decoded = base64.b64decode(value, validate=True)
        except binascii.Error:
            decoded = b""
        if len(decoded) != len(computed):
            raise AwsError(400, "InvalidRequest", f"Value for x-amz-checksum-{name} header is invalid.")
        if decoded != computed:
            raise AwsError(400, "BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")
    md5 = request.header("content-md5")
    if md5 is not None and md5 != base64.b64encode(hashlib.md5(request.body).digest()).decode():
        raise AwsError(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    return {f"x-amz-checksum-{name}": value for name, value in given.items()}


def check_encryption(request: Request) -> dict[str, str]:
    kind = request.header("x-amz-server-side-encryption")
    key = request.header("x-amz-server-side-encryption-aws-kms-key-id")
    bucket_key = request.header("x-amz-server-side-encryption-bucket-key-enabled")
    context = request.header("x-amz-server-side-encryption-context")
    if kind not in (None, "AES256", "aws:kms", "aws:kms:dsse"):
        raise AwsError(400, "InvalidArgument", "The encryption method specified is not supported")
    if kind not in ("aws:kms", "aws:kms:dsse") and (key or context):
        raise AwsError(400, "InvalidArgument", "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
    if bucket_key not in (None, "true", "false") or bucket_key == "true" and kind != "aws:kms":
        raise AwsError(400, "InvalidArgument", "x-amz-server-side-encryption-bucket-key-enabled is only valid with aws:kms")
    if context:
        try:
            if not isinstance(json.loads(base64.b64decode(context, validate=True)), dict):
                raise ValueError
        except ValueError:
            raise AwsError(400, "InvalidArgument", "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 JSON") from None
    return {name: value for name, value in (("x-amz-server-side-encryption", kind or "AES256"),
                                            ("x-amz-server-side-encryption-aws-kms-key-id", key),
                                            ("x-amz-server-side-encryption-bucket-key-enabled", bucket_key)) if value}


def check_tags(request: Request) -> dict[str, str]:
    text = request.header("x-amz-tagging")
    if text is None:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise AwsError(400, "InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters") from None
    if len(pairs) > 10:
        raise AwsError(400, "BadRequest", "Object tags cannot be greater than 10")
    if len(dict(pairs)) != len(pairs) or any(not 1 <= len(key) <= 128 or len(value) > 256 for key, value in pairs):
        raise AwsError(400, "InvalidTag", "The tag you have provided is invalid")
    return dict(pairs)


def check_storage_class(request: Request) -> str:
    storage_class = request.header("x-amz-storage-class") or "STANDARD"
    if storage_class not in STORAGE_CLASSES:
        raise AwsError(400, "InvalidStorageClass", "The storage class you specified is not valid")
    return storage_class
