#include "agent/proxy/client_hello.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>

#include "tests/catch.h"

using namespace invlog::proxy;

namespace {

using State = ClientHello::State;

// What an OpenSSL client that asks for `name` sends first. Two bytes of length and the name of
// each of `protocols` make the hello as long as a test wants it.
std::string hello_for(const std::string& name, int most_version = TLS1_3_VERSION,
                      const std::string& protocols = "") {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  SSL_CTX_set_max_proto_version(context.get(), most_version);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (!name.empty()) {
    SSL_set_tlsext_host_name(ssl.get(), name.c_str());
  }
  if (!protocols.empty()) {
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
  SSL_connect(ssl.get());
  ERR_clear_error();
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(ssl.get()), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string record(std::string_view content) {
  return std::string("\x16\x03\x01")
      .append(1, static_cast<char>(content.size() >> 8U))
      .append(1, static_cast<char>(content.size() & 0xffU))
      .append(content);
}

// The same hello in records of so many bytes.
std::string in_records_of(std::size_t most, const std::string& hello) {
  const std::string_view content = std::string_view(hello).substr(5);
  std::string records;
  for (std::size_t at = 0; at < content.size(); at += most) {
    records += record(content.substr(at, most));
  }
  return records;
}

// Every prefix is incomplete, the whole is what `name` says, and so is the whole with more behind.
void check_all_prefixes(const std::string& hello, const std::string& name) {
  for (std::size_t size = 0; size < hello.size(); ++size) {
    const ClientHello part = read_client_hello(std::string_view(hello).substr(0, size));
    if (part.state != State::incomplete || !part.server_name.empty()) {
      FAIL("not incomplete after " << size << " of " << hello.size());
    }
  }
  for (const std::string& bytes : {hello, hello + "more", hello + hello}) {
    const ClientHello whole = read_client_hello(bytes);
    CHECK(whole.state == State::complete);
    CHECK(whole.server_name == name);
  }
  CHECK(ERR_peek_error() == 0);
}

}  // namespace

TEST_CASE("a client's hello says which host it wants", "[proxy]") {
  check_all_prefixes(hello_for("bedrock-runtime.eu-central-1.amazonaws.com"),
                     "bedrock-runtime.eu-central-1.amazonaws.com");
  check_all_prefixes(hello_for("Example.COM.", TLS1_2_VERSION), "example.com");
  check_all_prefixes(hello_for(""), "");
}

TEST_CASE("a hello may come in any number of records", "[proxy]") {
  const std::string hello = hello_for("example.com");
  for (const std::size_t most : {1, 2, 5, 100}) {
    INFO(most);
    check_all_prefixes(in_records_of(most, hello), "example.com");
  }
}

TEST_CASE("a hello has its limit", "[proxy]") {
  // ALPN protocols of 255 bytes fill it up to 64 KiB; OpenSSL takes that, as others do.
  std::string protocols;
  for (int count = 0; count < 100; ++count) {
    protocols.append("\xff").append(255, 'p');
  }
  const std::string large = hello_for("example.com", TLS1_3_VERSION, protocols);
  REQUIRE(large.size() > 25'000);
  REQUIRE(large.size() < ClientHello::kMostBytes);
  CHECK(read_client_hello(large).server_name == "example.com");
  CHECK(read_client_hello(large + std::string(ClientHello::kMostBytes, 'x')).server_name ==
        "example.com");
  CHECK(read_client_hello(large.substr(0, large.size() - 1)).state == State::incomplete);

  for (int count = 0; count < 50; ++count) {
    protocols.append("\xff").append(255, 'p');
  }
  const std::string too_large = hello_for("example.com", TLS1_3_VERSION, protocols);
  REQUIRE(too_large.size() > ClientHello::kMostBytes);
  const auto first = [&](std::size_t size) {
    return read_client_hello(std::string_view(too_large).substr(0, size)).state;
  };
  CHECK(first(ClientHello::kMostBytes - 1) == State::incomplete);
  CHECK(first(ClientHello::kMostBytes) == State::malformed);
  CHECK(first(too_large.size()) == State::malformed);
}

TEST_CASE("what is no hello is told at once", "[proxy]") {
  const std::string hello = hello_for("example.com");
  std::string no_hello = hello;
  no_hello[5] = '\x02';  // a server's
  std::string cut_inside = hello;
  cut_inside[7] = '\0';
  cut_inside[8] = '\x10';  // the handshake message's length: shorter than what is in it
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("C"),
        std::string("\x80\x2e\x01\x03\x01"), std::string("\x16\x02"),
        std::string("\x16\x03\x01\xff\xff"), std::string("\x15\x03\x01"),
        record(std::string(100, '\0')), record(std::string("\x01\x00\x00\x02\x03\x03", 6)),
        no_hello, cut_inside}) {
    INFO(bytes);
    CHECK(read_client_hello(bytes).state == State::malformed);
    CHECK(read_client_hello(bytes).server_name.empty());
    CHECK(ERR_peek_error() == 0);
  }
}

TEST_CASE("a hello for what is no DNS name is malformed", "[proxy]") {
  for (const std::string name : {"127.0.0.1", "::1", "a..b", "example.com..", "a b",
                                 "b\xc3\xbc.test", "user@example.com", "a/b", "example.com:443"}) {
    INFO(name);
    CHECK(read_client_hello(hello_for(name)).state == State::malformed);
  }
  // Two names, or a name and a zero byte, where there must be one: changed in the bytes, since
  // OpenSSL makes none such.
  std::string hello = hello_for("first.test.xx.second.test");
  hello[hello.find("first.test") + 5] = '\0';
  CHECK(read_client_hello(hello).state == State::malformed);
  hello = hello_for("example.com");
  const std::size_t type = hello.find("example.com") - 3;
  REQUIRE(hello[type] == '\0');
  hello[type] = '\x01';
  CHECK(read_client_hello(hello).state == State::malformed);
}
