#include "exporters/aws/token_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace invlog::aws {
namespace {

tl::unexpected<std::string> cannot_read(const std::string& path, const std::string& why) {
  return tl::unexpected("cannot read " + path + ": " + why);
}

}  // namespace

tl::expected<std::optional<std::string>, std::string> read_small_file(const std::string& path,
                                                                      std::size_t longest) {
  // Without O_NONBLOCK a named pipe would be waited for.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return std::nullopt;
    }
    return cannot_read(path, std::strerror(errno));
  }
  std::string content;
  char buffer[4096];
  ssize_t size = 0;
  while (content.size() <= longest &&
         ((size = ::read(descriptor, buffer, sizeof buffer)) > 0 || (size < 0 && errno == EINTR))) {
    content.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  }
  const int code = size < 0 ? errno : 0;
  ::close(descriptor);
  if (code != 0) {
    return cannot_read(path, std::strerror(code));
  }
  if (content.size() > longest) {
    return cannot_read(path, "it has more than " + std::to_string(longest) + " bytes");
  }
  return content;
}

tl::expected<std::string, std::string> read_token_file(const std::string& path,
                                                       std::size_t longest) {
  constexpr std::size_t kWhiteSpaceAround = 1024;
  auto content = read_small_file(path, longest + kWhiteSpaceAround);
  if (!content) {
    return tl::unexpected(std::move(content.error()));
  }
  if (!*content) {
    return cannot_read(path, std::strerror(ENOENT));
  }
  std::string token = std::move(**content);
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  if (token.empty()) {
    return tl::unexpected(path + ": the file is empty");
  }
  if (token.size() > longest) {
    return cannot_read(path, "it has more than " + std::to_string(longest) + " bytes");
  }
  if (!std::all_of(token.begin(), token.end(),
                   [](char byte) { return byte >= ' ' && byte < '\x7f'; })) {
    return tl::unexpected(path + ": the file must hold one line of printable ASCII");
  }
  return token;
}

}  // namespace invlog::aws
