// So many files may this process have open that its connections fit: shells and systemd start
// programs with 1024, and allow more to those that ask.
//
// Thread: any, at the start. Errors: none; a limit that cannot be raised shows when it is reached.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>

namespace invlog::capture {

// Each of `connections` may have one to the upstream, or a tunnel's two pipes besides.
inline void raise_descriptor_limit(std::uint64_t connections) {
  constexpr rlim_t kBesides = 256;  // store, deliveries, logs
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, 6 * connections + kBesides);
  if (limit.rlim_cur >= wanted)
    return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace invlog::capture
