#include "agent/admin/process_facts.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace invlog::admin {
namespace {

// The fields of /proc/PID/stat behind the name, which may hold anything: proc(5)'s field 3 is [0].
std::vector<std::uint64_t> numbers_of_stat(const std::string& directory) {
  std::ifstream file(directory + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t name_end = text.rfind(')');
  std::istringstream fields(name_end == std::string::npos ? "" : text.substr(name_end + 1));
  std::vector<std::uint64_t> numbers;
  for (std::string field; fields >> field;) {
    std::uint64_t number = 0;
    std::istringstream(field) >> number;
    numbers.push_back(number);
  }
  return numbers;
}

double seconds_of(clockid_t clock) {
  timespec time{};
  return ::clock_gettime(clock, &time) == 0
             ? static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9
             : 0;
}

// Unix time at which the system started. Not from /proc/stat, which a service with ProcSubset=pid
// does not see.
double boot_time() {
  return seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME);
}

std::uint64_t entries_in(const std::string& directory) {
  std::error_code error;
  std::uint64_t entries = 0;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    ++entries;
  }
  return entries == 0 ? 0 : entries - 1;  // without the one that reads it
}

}  // namespace

ProcessFacts read_process_facts(const std::string& directory) {
  ProcessFacts facts;
  const auto numbers = numbers_of_stat(directory);
  if (numbers.size() > 21) {
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    facts.cpu_seconds = static_cast<double>(numbers[11] + numbers[12]) / ticks;
    facts.start_time = boot_time() + static_cast<double>(numbers[19]) / ticks;
    facts.virtual_bytes = numbers[20];
    facts.resident_bytes = numbers[21] * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  facts.open_files = entries_in(directory + "/fd");
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    facts.open_files_limit = limit.rlim_cur;
  }
  return facts;
}

}  // namespace invlog::admin
