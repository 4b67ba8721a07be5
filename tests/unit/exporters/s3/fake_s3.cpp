#include "tests/unit/exporters/s3/fake_s3.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "exporters/aws/canonical_request.h"
#include "exporters/aws/sigv4.h"
#include "exporters/s3/content_checksum.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

namespace invlog::exporters {
namespace {

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded.push_back(
          static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16)));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

aws::HttpResponse error(int status, const std::string& code, const std::string& message = "") {
  aws::HttpResponse response;
  response.status = status;
  response.body = "<Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>";
  return response;
}

}  // namespace

std::string header_of(const FakeS3::Call& call, const std::string& name) {
  std::string value;
  int found = 0;
  for (const auto& [each, text] : call.headers) {
    if (each == name) {
      value = text;
      ++found;
    }
  }
  return found > 1 ? "twice" : value;
}

FakeS3::FakeS3() : signing_time(test_time()) {}

std::vector<std::string> FakeS3::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, object] : objects) {
    keys.push_back(key);
  }
  return keys;
}

int FakeS3::count(const std::string& method) const {
  return static_cast<int>(std::count_if(calls.begin(), calls.end(),
                                        [&](const Call& call) { return call.method == method; }));
}

aws::HttpResult FakeS3::send(const aws::HttpRequest& request) {
  const std::size_t host_start = request.url.find("://") + 3;
  const std::size_t path_start = std::min(request.url.find('/', host_start), request.url.size());
  std::string path = request.url.substr(path_start);
  Call call{request.method, request.url, "", request.headers, request.total_timeout};
  const std::string refused = why_refused(call, path, request.body);
  std::string key = percent_decoded(path).substr(1);
  if (path_style) {
    key = key == bucket ? "" : key.substr(bucket.size() + 1);
  }
  call.key = key;
  calls.push_back(call);
  if (!refused.empty()) {
    return error(400, "InvalidRequest", refused);
  }
  if (before) {
    if (auto fault = before(call)) {
      return std::move(*fault);
    }
  }
  aws::HttpResponse response = answer(call, request.body);
  if (after) {
    if (auto fault = after(call)) {
      return std::move(*fault);
    }
  }
  return response;
}

std::string FakeS3::why_refused(const Call& call, const std::string& path,
                                std::string_view body) const {
  const std::size_t host_start = call.url.find("://") + 3;
  const std::string url_host =
      call.url.substr(host_start, call.url.find('/', host_start) - host_start);
  if (url_host != host) {
    return "host " + url_host;
  }
  if (path_style && path != "/" + bucket && !path.starts_with("/" + bucket + "/")) {
    return "path " + path;
  }
  std::string encoded;
  aws::append_uri_encoded(encoded, percent_decoded(path), true);
  if (encoded != path) {
    return "path is not encoded as S3 wants it: " + path;
  }
  const std::string hash = header_of(call, "x-amz-content-sha256");
  if (hash != aws::sha256_hex(body)) {
    return "x-amz-content-sha256";
  }
  aws::SigningRequest signing;
  signing.method = call.method;
  signing.path = path;
  for (const auto& [name, value] : call.headers) {
    if (name != "authorization" && name != "x-amz-date" && name != "x-amz-security-token") {
      signing.headers.emplace_back(name, value);
    }
  }
  signing.payload_sha256_hex = hash;
  signing.encode_path_again = false;
  const auto expected =
      aws::Signer("eu-central-1", "s3").sign(signing, test_credentials(), signing_time);
  return header_of(call, "authorization") == expected.authorization ? "" : "signature";
}

aws::HttpResponse FakeS3::answer(const Call& call, std::string_view body) {
  const std::string expected_owner = header_of(call, "x-amz-expected-bucket-owner");
  if (!owner.empty() && !expected_owner.empty() && expected_owner != owner) {
    return error(403, "AccessDenied", "Access Denied");
  }
  if (call.method == "HEAD") {
    return head(call);
  }
  return call.method == "PUT" ? put(call, body) : error(405, "MethodNotAllowed");
}

aws::HttpResponse FakeS3::head(const Call& call) const {
  aws::HttpResponse response;
  if (call.key.empty()) {
    response.status = head_bucket_status;
    if (names_region) {
      response.headers.emplace_back("x-amz-bucket-region", region);
    }
    return response;
  }
  const auto found = objects.find(call.key);
  response.status = found == objects.end() ? 404 : 200;
  if (found != objects.end()) {
    response.headers.emplace_back("content-length", std::to_string(found->second.bytes.size()));
    for (const auto& [name, value] : found->second.headers) {
      const bool is_checksum = name.starts_with("x-amz-checksum-");
      if (!is_checksum ||
          (stores_checksums && header_of(call, "x-amz-checksum-mode") == "ENABLED")) {
        response.headers.emplace_back(name, value);
      }
    }
  }
  return response;
}

aws::HttpResponse FakeS3::put(const Call& call, std::string_view body) {
  Object object;
  object.bytes = body;
  int checksums = 0;
  for (const auto& [name, value] : call.headers) {
    object.headers[name] = value;
    for (const Checksum each : {Checksum::sha256, Checksum::crc32, Checksum::crc32c}) {
      if (name == checksum_header(each)) {
        ++checksums;
        if (value != checksum_value(each, body)) {
          return error(400, "BadDigest");
        }
        if (header_of(call, "x-amz-sdk-checksum-algorithm") != checksum_algorithm(each)) {
          return error(400, "InvalidRequest", "algorithm");
        }
      }
    }
  }
  if (checksums != 1) {
    return error(400, "InvalidRequest", "one checksum is expected");
  }
  if (header_of(call, "if-none-match") == "*" && objects.count(call.key) != 0) {
    return error(412, "PreconditionFailed", "At least one of the pre-conditions did not hold");
  }
  objects[call.key] = std::move(object);
  aws::HttpResponse response;
  response.status = 200;
  response.headers.emplace_back("etag", "\"d41d8cd98f00b204e9800998ecf8427e\"");
  return response;
}

}  // namespace invlog::exporters
