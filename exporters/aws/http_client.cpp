#include "exporters/aws/http_client.h"

#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include "exporters/aws/curl_library.h"
#include "exporters/aws/message_text.h"
#include "exporters/aws/response_receiver.h"
#include "exporters/aws/sigpipe_blocked.h"
#include "storage/lower_case.h"

namespace invlog::aws {
namespace {

// How long a cancelled call may go unnoticed; half of what the header promises.
constexpr int kPollMilliseconds = 100;
constexpr std::size_t kLongestCause = 300;

using Kind = HttpFailure::Kind;

struct MultiDeleter {
  void operator()(CURLM* multi) const { CurlLibrary::get().multi_cleanup(multi); }
};
struct EasyDeleter {
  void operator()(CURL* easy) const { CurlLibrary::get().easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { CurlLibrary::get().slist_free_all(list); }
};
using Multi = std::unique_ptr<CURLM, MultiDeleter>;
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

bool is_token(std::string_view text) {  // RFC 9110, 5.6.2
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || kMarks.find(byte) != std::string_view::npos;
  });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos
             ? std::string_view{}
             : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Where a request goes, for messages.
struct Target {
  std::string host_and_port;
  std::string wrong;  // why the URL cannot be used, "" if it can
};

std::string url_part(const CurlUrl& url, CURLUPart part) {
  return curl_url_part(url, part, CURLU_DEFAULT_PORT);
}

Target target_of(const std::string& text) {
  // A fragment would be cut off silently and break the signature; the rest would break the request
  // line.
  for (const unsigned char byte : text) {
    if (byte <= ' ' || byte >= 0x7f || byte == '#') {
      return {"", "the URL has a character that must be percent-encoded"};
    }
  }
  const CurlUrl url = new_curl_url();
  const CURLUcode code =
      CurlLibrary::get().url_set(url.get(), CURLUPART_URL, text.c_str(),
                                 CURLU_PATH_AS_IS | CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
  if (code == CURLUE_USER_NOT_ALLOWED) {
    return {"", "a URL must not hold a user name or password"};
  }
  if (code != CURLUE_OK) {
    return {"", "not a URL of the form http(s)://host[:port]/path"};
  }
  const std::string scheme = url_part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return {"", "the URL's scheme is neither http nor https"};
  }
  return {url_part(url, CURLUPART_HOST) + ":" + url_part(url, CURLUPART_PORT), ""};
}

// What libcurl's callbacks work on. Exceptions must not pass through libcurl; taking less than was
// offered ends the transfer.
struct Exchange {
  ResponseReceiver receiver;
  bool out_of_memory = false;
  bool tls_begun = false;  // so there is a connection
};

template <bool (ResponseReceiver::*take)(std::string_view)>
std::size_t receive(char* data, std::size_t size, std::size_t count, void* pointer) {
  auto& exchange = *static_cast<Exchange*>(pointer);
  try {
    return (exchange.receiver.*take)({data, size * count}) ? size * count : 0;
  } catch (const std::bad_alloc&) {
    exchange.out_of_memory = true;
    return 0;
  }
}

// libcurl sets TLS up when the connection below it stands.
CURLcode note_tls(CURL*, void*, void* pointer) {
  static_cast<Exchange*>(pointer)->tls_begun = true;
  return CURLE_OK;
}

// A program that invlog runs (credential_process) must not inherit connections.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void append(List& list, const std::string& line) {
  curl_slist* const longer = CurlLibrary::get().slist_append(list.get(), line.c_str());
  if (longer == nullptr) {
    throw std::bad_alloc();
  }
  static_cast<void>(list.release());
  list.reset(longer);
}

// libcurl's forms: "Name: value" sends, "Name;" sends an empty value, "Name:" keeps libcurl from
// adding that header itself.
tl::expected<List, std::string> header_list(const HttpHeaders& headers) {
  List list;
  bool content_type = false;
  for (const auto& [name, value] : headers) {
    if (!is_token(name)) {
      return tl::unexpected<std::string>("a header's name is not one");
    }
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return tl::unexpected("the value of header " + one_line(name, 64) +
                            " has a line break or a NUL character");
    }
    const std::string lower_name = storage::lower_case(name);
    if (lower_name == "content-length" || lower_name == "transfer-encoding") {
      return tl::unexpected("header " + lower_name + " is not for the caller to set");
    }
    content_type = content_type || lower_name == "content-type";
    const std::string_view text = trimmed(value);
    append(list, text.empty() ? name + ";" : std::string(name).append(": ").append(text));
  }
  if (!content_type) {
    append(list, "Content-Type:");
  }
  // Waiting for "100 Continue" costs a round trip, and a second where a store does not know it.
  append(list, "Expect:");
  return list;
}

long milliseconds_of(std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24);
  return static_cast<long>(std::clamp(time, std::chrono::milliseconds(1), kLongest).count());
}

class CurlHttpClient final : public HttpClient {
 public:
  explicit CurlHttpClient(HttpClientOptions options) : options_(std::move(options)) {}
  ~CurlHttpClient() override;
  CurlHttpClient(const CurlHttpClient&) = delete;
  CurlHttpClient& operator=(const CurlHttpClient&) = delete;

  HttpResult send(const HttpRequest& request) override;

 private:
  void prepare();
  template <typename Value>
  void set(CURLoption option, Value value);
  void set_transport(const HttpRequest& request);
  void set_method(const HttpRequest& request);
  CURLcode perform();
  bool cancelled() const { return options_.cancelled != nullptr && *options_.cancelled; }
  HttpFailure failure(CURLcode code, const Exchange& exchange, const std::string& host_and_port);
  Kind timeout_kind(const Exchange& exchange);
  std::string cause(CURLcode code) const;

  const HttpClientOptions options_;
  // The connections are the multi handle's. It, and not CurlLibrary::get().easy_perform(), because
  // that one looks up only once a second whether it is still wanted. Both are made by the first
  // send(), so that a client that is never used does not load libcurl.
  Multi multi_;
  Easy easy_;
  char error_text_[CURL_ERROR_SIZE] = {};
};

void CurlHttpClient::prepare() {
  if (multi_ == nullptr) {
    multi_.reset(CurlLibrary::get().multi_init());
  }
  if (easy_ == nullptr) {
    easy_.reset(CurlLibrary::get().easy_init());
  }
  if (multi_ == nullptr || easy_ == nullptr) {
    throw std::bad_alloc();
  }
  CurlLibrary::get().easy_reset(easy_.get());
  error_text_[0] = '\0';
}

CurlHttpClient::~CurlHttpClient() {
  const SigpipeBlocked sigpipe;  // closing a TLS connection says goodbye
  easy_.reset();
  multi_.reset();
}

// Options fail only for want of memory, or where this libcurl was built without what they ask for.
template <typename Value>
void CurlHttpClient::set(CURLoption option, Value value) {
  const CURLcode code = CurlLibrary::get().easy_setopt(easy_.get(), option, value);
  if (code == CURLE_OUT_OF_MEMORY) {
    throw std::bad_alloc();
  }
  if (code != CURLE_OK) {
    throw std::runtime_error("libcurl refuses option " + std::to_string(static_cast<int>(option)) +
                             ": " + CurlLibrary::get().easy_strerror(code));
  }
}

void CurlHttpClient::set_transport(const HttpRequest& request) {
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  // A name that is still being looked up on libcurl's own thread is not waited for at the end.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_USERAGENT, options_.user_agent.c_str());
  set(CURLOPT_ERRORBUFFER, error_text_);
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds_of(request.connect_timeout));
  set(CURLOPT_TIMEOUT_MS, milliseconds_of(request.total_timeout));
  // Otherwise https_proxy, HTTPS_PROXY, http_proxy (in lower case only: a CGI script's HTTP_PROXY
  // is its client's), no_proxy, NO_PROXY, all_proxy and ALL_PROXY of the environment.
  if (request.direct) {
    set(CURLOPT_PROXY, "");
  }
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options_.ca_bundle.empty()) {
    for (const CURLoption file : {CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO}) {
      set(file, options_.ca_bundle.c_str());
    }
    // The bundle replaces the system's roots; it does not add to them.
    for (const CURLoption directory : {CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH}) {
      set(directory, static_cast<const char*>(nullptr));
    }
  }
}

void CurlHttpClient::set_method(const HttpRequest& request) {
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.method == "GET" && request.body.empty()) {
    set(CURLOPT_HTTPGET, 1L);
    return;
  }
  set(CURLOPT_POST, 1L);
  // Not copied. A null pointer would make libcurl ask a read callback for the body.
  set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

// A kept connection that turns out to have been closed before any byte of an answer came is
// replaced by libcurl itself, which sends the request again. The service may see it twice: all
// callers' requests can stand that (deliveries are at least once, S3's keys are derived).
CURLcode CurlHttpClient::perform() {
  if (CurlLibrary::get().multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK) {
    return CURLE_FAILED_INIT;
  }
  CURLcode result = CURLE_ABORTED_BY_CALLBACK;
  while (true) {
    int running = 0;
    if (CurlLibrary::get().multi_perform(multi_.get(), &running) != CURLM_OK) {
      result = CURLE_FAILED_INIT;
      break;
    }
    if (running == 0) {
      int waiting = 0;
      const CURLMsg* const message = CurlLibrary::get().multi_info_read(multi_.get(), &waiting);
      result = message == nullptr ? CURLE_FAILED_INIT : message->data.result;
      break;
    }
    if (cancelled()) {
      break;
    }
    CurlLibrary::get().multi_poll(multi_.get(), nullptr, 0, kPollMilliseconds, nullptr);
  }
  CurlLibrary::get().multi_remove_handle(multi_.get(), easy_.get());
  return result;
}

HttpResult CurlHttpClient::send(const HttpRequest& request) {
  if (std::string problem = CurlLibrary::problem(); !problem.empty()) {
    return tl::unexpected(HttpFailure{Kind::broken, std::move(problem)});
  }
  const Target target = target_of(request.url);
  if (!target.wrong.empty() || !is_token(request.method)) {
    return tl::unexpected(
        HttpFailure{Kind::usage, target.wrong.empty() ? "the method is not one" : target.wrong});
  }
  const tl::expected<List, std::string> headers = header_list(request.headers);
  if (!headers) {
    return tl::unexpected(HttpFailure{Kind::usage, target.host_and_port + ": " + headers.error()});
  }
  if (cancelled()) {
    return tl::unexpected(HttpFailure{Kind::cancelled, target.host_and_port + ": cancelled"});
  }

  const SigpipeBlocked sigpipe;
  Exchange exchange{ResponseReceiver(options_.max_response_bytes)};
  prepare();
  set_transport(request);
  set_method(request);
  set(CURLOPT_HTTPHEADER, headers->get());
  set(CURLOPT_HEADERFUNCTION, receive<&ResponseReceiver::header_line>);
  set(CURLOPT_HEADERDATA, &exchange);
  set(CURLOPT_WRITEFUNCTION, receive<&ResponseReceiver::body>);
  set(CURLOPT_WRITEDATA, &exchange);
  set(CURLOPT_SSL_CTX_FUNCTION, note_tls);
  set(CURLOPT_SSL_CTX_DATA, &exchange);

  const CURLcode code = perform();
  if (code == CURLE_OUT_OF_MEMORY || exchange.out_of_memory) {
    throw std::bad_alloc();
  }
  long status = 0;
  CurlLibrary::get().easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK) {
    return tl::unexpected(failure(code, exchange, target.host_and_port));
  }
  if (status < 200) {
    return tl::unexpected(
        HttpFailure{Kind::broken, target.host_and_port + ": what came is not an HTTP response"});
  }
  HttpResponse& response = exchange.receiver.response();
  response.status = static_cast<int>(status);
  return std::move(response);
}

Kind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return Kind::cancelled;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Kind::resolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_PROXY:
      return Kind::connect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
      return Kind::tls;
    case CURLE_URL_MALFORMAT:
      return Kind::usage;
    default:
      return Kind::broken;
  }
}

// libcurl has one code for every limit of time. While a TLS handshake is not over its connect time
// is still 0, and newer ones do not tell the port either.
Kind CurlHttpClient::timeout_kind(const Exchange& exchange) {
  long request_bytes = 0, port = 0;
  curl_off_t connected = 0, resolved = 0;
  CurlLibrary::get().easy_getinfo(easy_.get(), CURLINFO_REQUEST_SIZE, &request_bytes);
  CurlLibrary::get().easy_getinfo(easy_.get(), CURLINFO_LOCAL_PORT, &port);
  CurlLibrary::get().easy_getinfo(easy_.get(), CURLINFO_CONNECT_TIME_T, &connected);
  CurlLibrary::get().easy_getinfo(easy_.get(), CURLINFO_NAMELOOKUP_TIME_T, &resolved);
  if (exchange.tls_begun || request_bytes > 0 || port > 0 || connected > 0) {
    return Kind::timeout;
  }
  return resolved > 0 ? Kind::connect : Kind::resolve;
}

std::string CurlHttpClient::cause(CURLcode code) const {
  std::string_view text =
      error_text_[0] == '\0' ? CurlLibrary::get().easy_strerror(code) : error_text_;
  // Of a proxy's URL that it cannot use libcurl quotes all, and that may hold a password.
  if (code == CURLE_COULDNT_RESOLVE_PROXY || text.find("://") != std::string_view::npos ||
      text.find('@') != std::string_view::npos) {
    return std::string(CurlLibrary::get().easy_strerror(code)) +
           ": look at the proxy that the environment names (HTTPS_PROXY)";
  }
  std::string cause = one_line(text, kLongestCause);
  long number = 0;
  CurlLibrary::get().easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &number);
  if (number != 0 && code == CURLE_COULDNT_CONNECT) {
    cause.append(" (").append(std::strerror(static_cast<int>(number))).append(")");
  }
  if (kind_of(code) == Kind::tls) {
    long verdict = X509_V_OK;  // or "unspecified", before libcurl has asked for it
    CurlLibrary::get().easy_getinfo(easy_.get(), CURLINFO_SSL_VERIFYRESULT, &verdict);
    if (verdict > X509_V_ERR_UNSPECIFIED) {
      cause = std::string("its certificate is refused: ") + X509_verify_cert_error_string(verdict);
    }
    cause += "; trusted authorities: " +
             (options_.ca_bundle.empty() ? "the system's" : options_.ca_bundle);
  }
  return cause;
}

HttpFailure CurlHttpClient::failure(CURLcode code, const Exchange& exchange,
                                    const std::string& host_and_port) {
  const std::string start = host_and_port + ": ";
  if (exchange.receiver.too_large()) {
    return {Kind::too_large, start + "the answer is longer than " +
                                 std::to_string(options_.max_response_bytes) + " bytes"};
  }
  long proxy_status = 0;
  CurlLibrary::get().easy_getinfo(easy_.get(), CURLINFO_HTTP_CONNECTCODE, &proxy_status);
  if (proxy_status >= 300) {
    return {Kind::connect, start + "the proxy that the environment names refused to connect (" +
                               std::to_string(proxy_status) + ")"};
  }
  if (code == CURLE_ABORTED_BY_CALLBACK) {
    return {Kind::cancelled, start + "cancelled"};
  }
  if (code != CURLE_OPERATION_TIMEDOUT) {
    return {kind_of(code), start + cause(code)};
  }
  const Kind kind = timeout_kind(exchange);
  if (kind == Kind::timeout) {
    return {kind, start + "connected, but no whole answer in time: " + cause(code)};
  }
  return {kind, start +
                    (kind == Kind::resolve ? "its address was not found in time: "
                                           : "nobody answers there: ") +
                    cause(code)};
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == headers.end() ? std::string_view{} : std::string_view(found->second);
}

std::unique_ptr<HttpClient> curl_http_client(HttpClientOptions options) {
  return std::make_unique<CurlHttpClient>(std::move(options));
}

}  // namespace invlog::aws
