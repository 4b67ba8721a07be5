#include "agent/proxy/client_hello.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <stdexcept>

#include "agent/capture/tls_context.h"
#include "agent/capture/tls_start.h"
#include "agent/proxy/bedrock_hosts.h"

namespace invlog::proxy {
namespace {

constexpr unsigned char kHostName = 0;
constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMostOfARecord = 16 * 1024;  // RFC 8446 §5.1

std::size_t number(std::string_view bytes, std::size_t at) {
  return std::size_t{static_cast<unsigned char>(bytes[at])} << 8U |
         static_cast<unsigned char>(bytes[at + 1]);
}

// RFC 6066 §3: a list (length in two bytes) of one entry: type, length in two bytes, name. "" if it
// is anything else.
std::string name_in(std::string_view extension) {
  const bool one_name = extension.size() > 5 && number(extension, 0) == extension.size() - 2 &&
                        static_cast<unsigned char>(extension[2]) == kHostName &&
                        number(extension, 3) == extension.size() - 5;
  return one_name ? dns_name_of(extension.substr(5)) : "";
}

int hello_arrived(SSL* ssl, int* /*alert*/, void* /*argument*/) {
  auto& hello = *static_cast<ClientHello*>(SSL_get_app_data(ssl));
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  hello.state = ClientHello::State::complete;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) == 1) {
    hello.server_name = name_in({reinterpret_cast<const char*>(bytes), size});
    hello.state =
        hello.server_name.empty() ? ClientHello::State::malformed : ClientHello::State::complete;
  }
  return SSL_CLIENT_HELLO_RETRY;  // stops here, without an alert
}

SSL_CTX* context() {
  static const std::unique_ptr<SSL_CTX, capture::TlsContext::Free> made = [] {
    std::unique_ptr<SSL_CTX, capture::TlsContext::Free> fresh(SSL_CTX_new(TLS_server_method()));
    if (!fresh) {
      throw std::runtime_error("TLS: no memory for a context");
    }
    SSL_CTX_set_client_hello_cb(fresh.get(), hello_arrived, nullptr);
    return fresh;
  }();
  return made.get();
}

// Saves a client that sends byte after byte a run of OpenSSL for each.
bool first_record_lacks(std::string_view bytes) {
  if (bytes.size() < kRecordHeader) {
    return true;
  }
  const std::size_t length = number(bytes, 3);
  return length <= kMostOfARecord && bytes.size() < kRecordHeader + length;
}

ClientHello parse(std::string_view bytes) {
  ClientHello hello;
  const capture::TlsContext::Session ssl(SSL_new(context()));
  BIO* const in = BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size()));
  BIO* const out = BIO_new(BIO_s_null());
  if (!ssl || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    throw std::bad_alloc();
  }
  BIO_set_mem_eof_return(in, -1);  // "later", not "never"
  SSL_set_bio(ssl.get(), in, out);
  SSL_set_app_data(ssl.get(), &hello);
  SSL_set_accept_state(ssl.get());
  const int result = SSL_do_handshake(ssl.get());
  if (hello.state == ClientHello::State::incomplete &&
      SSL_get_error(ssl.get(), result) != SSL_ERROR_WANT_READ) {
    hello.state = ClientHello::State::malformed;
  }
  return hello;
}

}  // namespace

ClientHello read_client_hello(std::string_view bytes) {
  if (!bytes.empty() && !capture::may_be_tls(bytes)) {
    return {ClientHello::State::malformed, {}};
  }
  ClientHello hello;
  if (!first_record_lacks(bytes)) {
    ERR_clear_error();
    hello = parse(bytes.substr(0, ClientHello::kMostBytes));
    ERR_clear_error();
  }
  if (hello.state == ClientHello::State::incomplete && bytes.size() >= ClientHello::kMostBytes) {
    hello.state = ClientHello::State::malformed;
  }
  return hello;
}

}  // namespace invlog::proxy
