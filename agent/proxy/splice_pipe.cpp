#include "agent/proxy/splice_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace invlog::proxy {
namespace {

using boost::system::error_code;

// What a pipe begins with. A user who is not root has room for 1,024 of these or 256 grown ones;
// pipes beyond that are smaller, and work (pipe(7), pipe-user-pages-soft).
constexpr std::size_t kPipeBytes = 64 * 1024;
constexpr int kGrownPipeBytes = 256 * 1024;
// More than any pipe holds.
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

std::size_t splice_bytes(int from, int to, std::size_t most, error_code& failure) {
  ssize_t count = 0;
  do {
    count = ::splice(from, nullptr, to, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (count < 0 && errno == EINTR);
  failure = count < 0 ? error_code(errno, boost::system::system_category()) : error_code();
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

}  // namespace

SplicePipe::~SplicePipe() {
  for (const int end : {out_, in_}) {
    if (end >= 0)
      ::close(end);
  }
}

error_code SplicePipe::open() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return {errno, boost::system::system_category()};
  out_ = ends[0];
  in_ = ends[1];
  return {};
}

void SplicePipe::fill_from(int socket, error_code& failure) {
  held_ += splice_bytes(socket, in_, kMostBytes, failure);
  // Much is under way: a larger pipe takes fewer turns. If it may not grow, it goes on as it is.
  if (!grown_ && held_ >= kPipeBytes) {
    grown_ = true;
    ::fcntl(in_, F_SETPIPE_SZ, kGrownPipeBytes);
  }
}

void SplicePipe::drain_to(int socket, error_code& failure) {
  held_ -= splice_bytes(out_, socket, held_, failure);
}

}  // namespace invlog::proxy
