#include "exporters/aws/chain_options.h"

#include <algorithm>
#include <random>
#include <thread>

#include "exporters/aws/role_settings.h"

namespace invlog::aws {
namespace {

constexpr std::chrono::milliseconds kSlice{50};

bool is_cancelled(const ChainOptions& options) {
  return options.cancelled != nullptr && *options.cancelled;
}

}  // namespace

double random_fraction() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

bool wait_between_tries(const ChainOptions& options, std::chrono::milliseconds duration) {
  if (options.sleep) {
    options.sleep(duration);
    return !is_cancelled(options);
  }
  while (duration.count() > 0 && !is_cancelled(options)) {
    const std::chrono::milliseconds slice = std::min(duration, kSlice);
    std::this_thread::sleep_for(slice);
    duration -= slice;
  }
  return !is_cancelled(options);
}

std::string role_session_name_of_host(const std::string& host) {
  std::string name = "invlog-" + host;
  name.resize(std::min<std::size_t>(name.size(), 64));
  for (char& byte : name) {
    byte = is_session_name_character(byte) ? byte : '-';
  }
  return name;
}

}  // namespace invlog::aws
