"""S3: a few operations, path style and virtual-host style (BUCKET.localhost), with every version of every object kept,
so that a test sees what was written twice and whether it was the same."""

import datetime
import email.utils
import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote
from xml.sax.saxutils import escape

from bedrock.exchange import Request, Response

from . import checksums
from .errors import AwsError

MAXIMUM_KEY = 1024
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass
class Version:
    body: bytes
    etag: str
    written: float
    headers: dict[str, str]  # to answer with
    tags: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict:
        return {"sha256": hashlib.sha256(self.body).hexdigest(), "bytes": len(self.body), "headers": self.headers, "tags": self.tags,
                "written": self.written}


@dataclass
class Bucket:
    region: str
    objects: dict[str, list[Version]] = field(default_factory=dict)  # key: versions, oldest first


class S3:
    def __init__(self, region: str, account: str, clock):
        self.region, self.account, self.clock = region, account, clock
        self.buckets: dict[str, Bucket] = {}

    @staticmethod
    def place(request: Request) -> tuple[str, str]:
        """Bucket and key, percent-decoded."""
        host = (request.header("host") or "").partition(":")[0]
        path = unquote(request.raw_path[1:])
        if host.endswith(".localhost"):
            return host[:-len(".localhost")], path
        bucket, _, key = path.partition("/")
        return bucket, key

    @classmethod
    def operation(cls, request: Request) -> str:
        bucket, key = cls.place(request)
        kind = "Object" if key else "Bucket"
        if request.method == "GET" and not key:
            return "ListObjectsV2" if bucket else "ListBuckets"
        names = {"PUT": "Create" if not key else "Put", "HEAD": "Head", "GET": "Get", "DELETE": "Delete"}
        return names.get(request.method, request.method.title()) + kind

    def answer(self, operation: str, request: Request) -> Response:
        name, key = self.place(request)
        if operation == "CreateBucket":
            return self._create(name, request)
        if operation == "ListBuckets":
            names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in sorted(self.buckets))
            return self._xml(f"<ListAllMyBucketsResult {NAMESPACE}><Buckets>{names}</Buckets></ListAllMyBucketsResult>")
        bucket = self._bucket(name, request)
        if operation == "HeadBucket":
            return Response(200, [("x-amz-bucket-region", bucket.region), ("x-amz-access-point-alias", "false")], [b""])
        handlers = {"PutObject": self._put, "HeadObject": self._get, "GetObject": self._get, "ListObjectsV2": self._list}
        if operation not in handlers:
            raise AwsError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        return handlers[operation](bucket, name, key, request)

    def _create(self, name: str, request: Request) -> Response:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
            raise AwsError(400, "InvalidBucketName", "The specified bucket is not valid.", {"BucketName": name})
        if name in self.buckets:
            raise AwsError(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
        wanted = re.search(rb"<LocationConstraint>([^<]*)<", request.body)
        if self.region != (wanted[1].decode() if wanted else "us-east-1"):
            raise AwsError(400, "IllegalLocationConstraintException", "The location constraint is incompatible for the region specific endpoint.")
        self.buckets[name] = Bucket(self.region)
        return Response(200, [("Location", f"/{name}")], [b""])

    def _bucket(self, name: str, request: Request) -> Bucket:
        if name not in self.buckets:
            raise AwsError(404, "NoSuchBucket", "The specified bucket does not exist", {"BucketName": name})
        bucket = self.buckets[name]
        if bucket.region != self.region:
            raise AwsError(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. "
                           "Please send all future requests to this endpoint.",
                           {"Endpoint": f"{name}.s3.{bucket.region}.amazonaws.com", "Bucket": name, "Region": bucket.region},
                           [("x-amz-bucket-region", bucket.region)])
        owner = request.header("x-amz-expected-bucket-owner")
        if owner is not None and owner != self.account:
            raise AwsError(403, "AccessDenied", "Access Denied", headers=[("x-amz-bucket-region", bucket.region)])
        return bucket

    def _put(self, bucket: Bucket, name: str, key: str, request: Request) -> Response:
        if request.header("transfer-encoding") or request.header("content-length") is None:
            raise AwsError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        if len(key.encode()) > MAXIMUM_KEY:
            raise AwsError(400, "KeyTooLongError", "Your key is too long", {"Size": str(len(key.encode())), "MaxSizeAllowed": str(MAXIMUM_KEY)})
        if request.header("x-amz-acl") not in (None, "bucket-owner-full-control"):
            raise AwsError(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
        checksum, encryption = checksums.check_checksum(request), checksums.check_encryption(request)
        tags, storage_class = checksums.check_tags(request), checksums.check_storage_class(request)
        condition = request.header("if-none-match")
        if condition not in (None, "*"):
            raise AwsError(501, "NotImplemented", "A header you provided implies functionality that is not implemented", {"Header": "If-None-Match"})
        if condition and key in bucket.objects:
            raise AwsError(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", {"Condition": "If-None-Match"})
        etag = f'"{hashlib.md5(request.body).hexdigest()}"'
        kept = {"Content-Type": request.header("content-type") or "binary/octet-stream", **checksum, **encryption}
        for header in ("Content-Encoding", "Cache-Control", "Content-Disposition"):
            if request.header(header):
                kept[header] = request.header(header)
        if storage_class != "STANDARD":
            kept["x-amz-storage-class"] = storage_class
        kept.update({name: value for name, value in request.headers if name.lower().startswith("x-amz-meta-")})
        bucket.objects.setdefault(key, []).append(Version(request.body, etag, self.clock(), kept, tags))
        return Response(200, [("ETag", etag), *checksum.items(), *encryption.items()], [b""])

    def _get(self, bucket: Bucket, name: str, key: str, request: Request) -> Response:
        if key not in bucket.objects:
            raise AwsError(404, "NoSuchKey", "The specified key does not exist.", {"Key": key})
        version = bucket.objects[key][-1]
        with_checksum = (request.header("x-amz-checksum-mode") or "").upper() == "ENABLED"
        headers = [(name, value) for name, value in version.headers.items() if with_checksum or not name.startswith("x-amz-checksum-")]
        return Response(200, [("ETag", version.etag), ("Last-Modified", _http_date(version.written)), ("Accept-Ranges", "bytes"), *headers],
                        [version.body])

    def _list(self, bucket: Bucket, name: str, key: str, request: Request) -> Response:
        query = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        if query.get("list-type") != "2":
            raise AwsError(501, "NotImplemented", "This fake lists with list-type=2 only.")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = bytes.fromhex(query["continuation-token"]).decode() if "continuation-token" in query else query.get("start-after", "")
        encoding = "<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else ""
        encode = (lambda text: quote(text, safe="/")) if encoding else escape
        limit, entries, prefixes, last, truncated = int(query.get("max-keys", 1000)), [], [], "", False
        for key, versions in sorted(bucket.objects.items()):
            if not key.startswith(prefix) or key <= after:
                continue
            common = prefix + key[len(prefix):].partition(delimiter)[0] + delimiter if delimiter and delimiter in key[len(prefix):] else ""
            if common and common in prefixes:
                last = key
                continue
            if len(entries) + len(prefixes) == limit:
                truncated = True
                break
            last = key
            if common:
                prefixes.append(common)
                continue
            version = versions[-1]
            entries.append(f"<Contents><Key>{encode(key)}</Key><LastModified>{_iso(version.written)}</LastModified>"
                           f"<ETag>{escape(version.etag)}</ETag><Size>{len(version.body)}</Size><StorageClass>STANDARD</StorageClass></Contents>")
        token = f"<NextContinuationToken>{last.encode().hex()}</NextContinuationToken>" if truncated else ""
        return self._xml(f"<ListBucketResult {NAMESPACE}><Name>{name}</Name><Prefix>{encode(prefix)}</Prefix>"
                         f"<KeyCount>{len(entries) + len(prefixes)}</KeyCount><MaxKeys>{limit}</MaxKeys><IsTruncated>{str(truncated).lower()}</IsTruncated>"
                         + encoding + token + "".join(entries)
                         + "".join(f"<CommonPrefixes><Prefix>{encode(common)}</Prefix></CommonPrefixes>" for common in prefixes)
                         + "</ListBucketResult>")

    @staticmethod
    def _xml(text: str) -> Response:
        return Response(200, [("Content-Type", "application/xml")], [('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode()])


def _http_date(seconds: float) -> str:
    return email.utils.formatdate(seconds, usegmt=True)


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
