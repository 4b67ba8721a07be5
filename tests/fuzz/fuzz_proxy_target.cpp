// What decides in proxy mode which host a connection is for: the request line of a CONNECT, and the
// server name of a TLS client's hello. The input is taken as the bytes of either, and is put into a
// well-formed hello, as its server_name extension and as the name in it. Whatever comes, only the
// Region's own Bedrock is intercepted, and bytes in pieces mean what they mean together.
#include <openssl/err.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/capture/http1_parser.h"
#include "agent/proxy/bedrock_hosts.h"
#include "agent/proxy/client_hello.h"

namespace {

using namespace invlog::proxy;
using invlog::capture::Http1Parser;
using Kind = BedrockHosts::Kind;
using State = ClientHello::State;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

const BedrockHosts& hosts() {
  static const BedrockHosts made("eu-central-1", {"bedrock.corp.example"});
  return made;
}

void check_judgement(const std::string& host) {
  const Kind kind = hosts().judge(host);
  const auto& names = hosts().names();
  const bool own = std::find(names.begin(), names.end(), host) != names.end();
  const bool own_vpc = host.ends_with(".bedrock-runtime.eu-central-1.vpce.amazonaws.com") ||
                       host.ends_with(".bedrock-runtime-fips.eu-central-1.vpce.amazonaws.com");
  require((kind == Kind::intercept) == (own || own_vpc));
  require(kind != Kind::other_region || host.find("bedrock-") != std::string::npos);
}

void check_authority(std::string_view target) {
  const auto authority = parse_authority(target);
  if (!authority) {
    require(!authority.error().empty());
    return;
  }
  const std::string& host = authority->host;
  const bool v6 = host.find(':') != std::string::npos;
  require(authority->port != 0 && !host.empty() && host.size() <= 253 && host.back() != '.');
  require(host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.:") == std::string::npos);
  const auto again =
      parse_authority((v6 ? "[" + host + "]" : host) + ":" + std::to_string(authority->port));
  require(again && again->host == host && again->port == authority->port);
  check_judgement(host);
}

// The target of a CONNECT in bytes that come in two pieces; "" if there is none.
std::string connect_target(std::string_view bytes, std::size_t first) {
  Http1Parser parser(Http1Parser::Kind::request);
  parser.begin();
  std::size_t taken = 0;
  for (const std::size_t end : {first, bytes.size()}) {
    std::size_t consumed = 0;
    if (!parser.feed_head(bytes.substr(taken, end - taken), consumed)) {
      return "";
    }
    taken += consumed;
    if (parser.head_done()) {
      return parser.method == "CONNECT" ? parser.target : "";
    }
  }
  return "";
}

ClientHello check_hello(std::string_view bytes, std::size_t first) {
  const ClientHello part = read_client_hello(bytes.substr(0, first));
  ClientHello whole = read_client_hello(bytes);
  // More bytes take nothing back.
  require(part.state == State::incomplete ||
          (part.state == whole.state && part.server_name == whole.server_name));
  require(whole.state == State::complete || whole.server_name.empty());
  require(whole.server_name.empty() || dns_name_of(whole.server_name) == whole.server_name);
  require(ERR_peek_error() == 0);
  check_judgement(whole.server_name);
  return whole;
}

std::string with_length(std::string_view bytes) {
  return std::string(1, static_cast<char>(bytes.size() >> 8U))
      .append(1, static_cast<char>(bytes.size() & 0xffU))
      .append(bytes);
}

// RFC 8446 §4.1.2: version, random, no session, one cipher suite, no compression, extensions.
std::string hello_with(std::string_view server_name_extension) {
  using namespace std::literals;
  const std::string body =
      "\x03\x03"s.append(32, 'r')
          .append("\0\0\x02\x13\x01\x01\0"sv)
          .append(with_length("\0\0"s.append(with_length(server_name_extension))));
  const std::string message = "\x01\0"s.append(with_length(body));
  return "\x16\x03\x01"s.append(with_length(message));
}

void check_name(std::string_view name, std::size_t first) {
  const std::string list = with_length(std::string(1, '\0').append(with_length(name)));
  const std::string bytes = hello_with(list);
  const ClientHello hello = check_hello(bytes, first % (bytes.size() + 1));
  require(hello.server_name == dns_name_of(name));
  require(hello.server_name.empty() == (hello.state == State::malformed));
}

}  // namespace

// The first two bytes say where the bytes are cut in two.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t cut = std::size_t{data[0]} << 8U | data[1];
  const std::size_t first = cut % (input.size() + 1);
  check_authority(input);
  const std::string target = connect_target(input, first);
  require(target == connect_target(input, 0));
  check_authority(target);
  check_hello(input, first);
  if (input.size() < 8 * 1024) {
    check_name(input, cut);
    const std::string bytes = hello_with(input);
    check_hello(bytes, cut % (bytes.size() + 1));
  }
  return 0;
}
