#include "exporters/aws/canonical_request.h"

#include <algorithm>
#include <cstdint>

namespace invlog::aws {
namespace {

constexpr char kHexDigits[] = "0123456789ABCDEF";

bool unreserved(unsigned char byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  if (digit >= 'a' && digit <= 'f') {
    return digit - 'a' + 10;
  }
  if (digit >= 'A' && digit <= 'F') {
    return digit - 'A' + 10;
  }
  return -1;
}

bool white_space(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\v' ||
         byte == '\f';
}

// A '%' that two hexadecimal digits do not follow stands for itself.
std::string percent_decoded(std::string_view bytes) {
  std::string decoded;
  decoded.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '%' && i + 2 < bytes.size() && hex_value(bytes[i + 1]) >= 0 &&
        hex_value(bytes[i + 2]) >= 0) {
      decoded += static_cast<char>(hex_value(bytes[i + 1]) * 16 + hex_value(bytes[i + 2]));
      i += 2;
    } else {
      decoded += bytes[i];
    }
  }
  return decoded;
}

std::string canonical_query_part(std::string_view part) {
  std::string encoded;
  append_uri_encoded(encoded, percent_decoded(part), false);
  return encoded;
}

std::string normalized_path(std::string_view path) {
  std::vector<std::string_view> segments;
  bool ends_in_slash = true;  // of the part read so far
  std::size_t begin = 0;
  while (begin < path.size()) {
    std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    ends_in_slash = end < path.size();
    if (segment == "..") {
      if (!segments.empty()) {
        segments.pop_back();
      }
      ends_in_slash = true;
    } else if (segment == ".") {
      ends_in_slash = true;
    } else if (!segment.empty()) {
      segments.push_back(segment);
    }
    begin = end + 1;
  }
  std::string normalized;
  for (const std::string_view segment : segments) {
    normalized += '/';
    normalized += segment;
  }
  if (ends_in_slash || normalized.empty()) {
    normalized += '/';
  }
  return normalized;
}

void append_trimmed(std::string& out, std::string_view value) {
  bool pending_space = false;
  bool started = false;
  for (const char byte : value) {
    if (white_space(byte)) {
      pending_space = started;
      continue;
    }
    if (pending_space) {
      out += ' ';
      pending_space = false;
    }
    out += byte;
    started = true;
  }
}

}  // namespace

void append_uri_encoded(std::string& out, std::string_view bytes, bool keep_slash) {
  for (const char character : bytes) {
    const auto byte = static_cast<unsigned char>(character);
    if (unreserved(byte) || (keep_slash && byte == '/')) {
      out += character;
    } else {
      out += '%';
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    }
  }
}

void append_canonical_path(std::string& out, std::string_view path, bool normalize,
                           bool encode_again) {
  std::string normalized;
  if (normalize) {
    normalized = normalized_path(path);
    path = normalized;
  }
  if (path.empty()) {
    path = "/";
  }
  if (encode_again) {
    append_uri_encoded(out, path, true);
  } else {
    out += path;
  }
}

void append_canonical_query(std::string& out, std::string_view query) {
  if (query.empty()) {
    return;
  }
  std::vector<std::pair<std::string, std::string>> parameters;
  std::size_t begin = 0;
  while (begin <= query.size()) {
    const std::size_t end = std::min(query.find('&', begin), query.size());
    const std::string_view parameter = query.substr(begin, end - begin);
    if (!parameter.empty()) {
      const std::size_t equals = std::min(parameter.find('='), parameter.size());
      const std::string_view value =
          equals < parameter.size() ? parameter.substr(equals + 1) : std::string_view{};
      parameters.emplace_back(canonical_query_part(parameter.substr(0, equals)),
                              canonical_query_part(value));
    }
    begin = end + 1;
  }
  std::sort(parameters.begin(), parameters.end());
  bool first = true;
  for (const auto& [name, value] : parameters) {
    if (!first) {
      out += '&';
    }
    first = false;
    out += name;
    out += '=';
    out += value;
  }
}

void append_canonical_headers(std::string& lines, std::string& names, const HeaderViews& headers) {
  std::string lower_names;  // all names, so that they cost one allocation
  std::size_t names_size = 0;
  for (const auto& header : headers) {
    names_size += header.first.size();
  }
  lower_names.reserve(names_size);
  HeaderViews sorted;
  sorted.reserve(headers.size());
  for (const auto& [name, value] : headers) {
    const std::size_t begin = lower_names.size();
    for (const char byte : name) {
      lower_names += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
    }
    sorted.emplace_back(std::string_view(lower_names).substr(begin), value);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& left, const auto& right) { return left.first < right.first; });
  std::string_view previous;
  bool first = true;
  for (const auto& [name, value] : sorted) {
    if (!first && name == previous) {
      lines.back() = ',';  // continues the line of the same name
    } else {
      if (!first) {
        names += ';';
      }
      names += name;
      lines += name;
      lines += ':';
    }
    append_trimmed(lines, value);
    lines += '\n';
    previous = name;
    first = false;
  }
}

}  // namespace invlog::aws
