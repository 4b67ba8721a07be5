#include "agent/capture/http_message.h"

#include <algorithm>

#include "storage/json_writer.h"
#include "storage/lower_case.h"

namespace invlog::capture {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

// Calls `visit` for each element until it returns true; whether it did.
template <class Visit>
bool any_list_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    std::size_t comma = list.find(',');
    std::string_view element = trimmed(list.substr(0, comma));
    if (!element.empty() && visit(element))
      return true;
    if (comma == std::string_view::npos)
      break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

bool equal_ignoring_case(std::string_view one, std::string_view other) {
  return one.size() == other.size() &&
         std::equal(one.begin(), one.end(), other.begin(), [](char left, char right) {
           return storage::lower_case(left) == storage::lower_case(right);
         });
}

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (equal_ignoring_case(key, name))
      return value;
  }
  return {};
}

bool has_header(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& header) { return equal_ignoring_case(header.first, name); });
}

bool header_has_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [key, value] : headers) {
    if (equal_ignoring_case(key, name) && any_list_element(value, [&](std::string_view element) {
          return equal_ignoring_case(element, token);
        })) {
      return true;
    }
  }
  return false;
}

bool is_hop_by_hop(std::string_view name) {
  // The lengths tell nearly all other headers apart at once.
  switch (name.size()) {
    case 2:
      return equal_ignoring_case(name, "te");
    case 7:
      return equal_ignoring_case(name, "upgrade");
    case 10:
      return equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "keep-alive");
    case 14:
      return equal_ignoring_case(name, "http2-settings");
    case 16:
      return equal_ignoring_case(name, "proxy-connection");
    case 17:
      return equal_ignoring_case(name, "transfer-encoding");
    case 18:
      return equal_ignoring_case(name, "proxy-authenticate");
    case 19:
      return equal_ignoring_case(name, "proxy-authorization");
    default:
      return false;
  }
}

bool is_hop_by_hop(const Headers& headers, std::string_view name) {
  return is_hop_by_hop(name) || (!equal_ignoring_case(name, "content-length") &&
                                 header_has_token(headers, "connection", name));
}

void remove_hop_by_hop(Headers& headers) {
  Headers connection;  // copied: the views into it must survive the removal
  for (const auto& header : headers) {
    if (equal_ignoring_case(header.first, "connection"))
      connection.push_back(header);
  }
  std::erase_if(headers,
                [&](const auto& header) { return is_hop_by_hop(connection, header.first); });
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 421:
      return "Misdirected Request";
    case 424:
      return "Failed Dependency";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

LocalResponse aws_error(int status, std::string_view type, std::string_view message) {
  LocalResponse response;
  response.body = "{";
  storage::append_json_member(response.body, "message", message);
  response.body += '}';
  response.head.status = status;
  response.head.reason = reason_phrase(status);
  response.head.body = ResponseHead::Body::length;
  response.head.headers = {{"Content-Type", "application/json"},
                           {"x-amzn-ErrorType", std::string(type)},
                           {"Content-Length", std::to_string(response.body.size())}};
  return response;
}

std::string last_response_text(const LocalResponse& response) {
  std::string text =
      "HTTP/1.1 " + std::to_string(response.head.status) + " " + response.head.reason + "\r\n";
  for (const auto& [name, value] : response.head.headers)
    append_header(text, name, value);
  return text + "Connection: close\r\n\r\n" + response.body;
}

}  // namespace invlog::capture
