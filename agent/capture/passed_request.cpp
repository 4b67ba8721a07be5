#include "agent/capture/passed_request.h"

#include <charconv>
#include <cstdint>

namespace invlog::capture {
namespace {

// Nothing but HTTP/1.1 is spoken on the connection, whatever the application would upgrade to.
bool is_upgrade(std::string_view name) {
  return equal_ignoring_case(name, "upgrade") || equal_ignoring_case(name, "http2-settings");
}

}  // namespace

std::string passed_head(const RequestHead& request, std::string_view body) {
  std::string head;
  head.reserve(2048);
  head.append(request.method).append(" ").append(request.target);
  head.append(request.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  const bool from_http2 = request.http2;
  if (from_http2)
    append_header(head, "Host", request.authority);
  for (const auto& [name, value] : request.headers) {
    const bool dropped =
        from_http2 ? is_hop_by_hop(name) || equal_ignoring_case(name, "host") : is_upgrade(name);
    if (!dropped)
      append_header(head, name, value);
  }
  // Never a body without its length: the server would take it for the next request.
  const bool framed = has_header(request.headers, "content-length") || is_passed_in_chunks(request);
  const bool has_body = !body.empty() || request.method == "POST" || request.method == "PUT";
  if (!framed && (from_http2 ? has_body : !body.empty())) {
    append_header(head, "Content-Length", std::to_string(body.size()));
  }
  return head + "\r\n";
}

bool is_passed_in_chunks(const RequestHead& request) {
  // As the parser saw it: of HTTP/1.1, only such a body has no length.
  return !request.http2 && !request.content_length;
}

std::string in_chunks(std::string_view body) {
  std::string chunks;
  if (!body.empty()) {
    char size[17];
    const auto end = std::to_chars(size, size + sizeof size, body.size(), 16).ptr;
    chunks.reserve(body.size() + 32);
    chunks.append(size, end).append("\r\n").append(body).append("\r\n");
  }
  return chunks + "0\r\n\r\n";
}

bool is_meant_for(const RequestHead& request, std::string_view host, std::uint16_t port) {
  std::string_view named =
      request.authority.empty() ? find_header(request.headers, "host") : request.authority;
  const std::string with_port = ":" + std::to_string(port);
  if (named.size() > with_port.size() &&
      named.substr(named.size() - with_port.size()) == with_port) {
    named.remove_suffix(with_port.size());
  }
  if (!named.empty() && named.back() == '.')
    named.remove_suffix(1);  // the root's: the same name
  return equal_ignoring_case(named, host);
}

}  // namespace invlog::capture
