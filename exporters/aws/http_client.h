// HTTP for every call of our own (CloudWatch Logs, S3, STS, IMDS, ...), over libcurl. One request
// at a time, on the caller's thread; connections are kept between calls. A redirect is never
// followed: it is an answer like any other, and Region guards look at it.
//
// Threads: one HttpClient belongs to one thread at a time. Ownership: `cancelled` must outlive it.
// Errors: an HTTP status is a response; what kept a response from arriving is a HttpFailure.
// Neither holds a header that the caller sent.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace invlog::aws {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;        // scheme://host[:port]/path?query: path and query as they go on the wire
  HttpHeaders headers;    // Host and Content-Length are added
  std::string_view body;  // must live until send() returns
  std::chrono::milliseconds connect_timeout{5000};
  // Of the whole exchange, from the start of connecting.
  std::chrono::milliseconds total_timeout{60000};
  bool direct = false;  // never through a proxy (IMDS, container credentials)
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  // names in lower case
  std::string body;

  // The first header of this name (lower case), "" if there is none.
  std::string_view header(std::string_view name) const;
};

struct HttpFailure {
  enum class Kind {
    resolve,    // the host name has no address
    connect,    // nobody answers there
    tls,        // the certificate or the handshake
    timeout,    // a connection, but no whole answer in time
    broken,     // the connection ended, what came is not HTTP, or libcurl cannot be loaded
    too_large,  // the response is longer than max_response_bytes
    cancelled,  // by HttpClientOptions::cancelled
    usage       // the request cannot be made (a URL that is none)
  };
  Kind kind = Kind::broken;
  std::string message;  // one line: host, port and cause
};

using HttpResult = tl::expected<HttpResponse, HttpFailure>;

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual HttpResult send(const HttpRequest& request) = 0;
};

struct HttpClientOptions {
  std::string user_agent = "invlog";
  std::string ca_bundle;  // PEM file, "" the system's
  // Once it is true, a send() under way ends within 200 ms with Kind::cancelled. May be null.
  const std::atomic<bool>* cancelled = nullptr;
  std::size_t max_response_bytes = 16 << 20;
};

// A company's proxy is taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY as libcurl reads them. TLS
// is 1.2 or newer and the certificate is always verified.
std::unique_ptr<HttpClient> curl_http_client(HttpClientOptions options);

}  // namespace invlog::aws
