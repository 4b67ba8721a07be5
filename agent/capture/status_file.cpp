#include "agent/capture/status_file.h"

#include <fcntl.h>
#include <simdjson.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "storage/file_mode.h"
#include "storage/json_writer.h"

namespace invlog::capture {

using storage::append_json_member;
using storage::append_json_number;
using storage::append_json_raw;
using storage::append_json_string;

namespace {

bool write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = ::write(file, content.data(), content.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool overwrite(const std::string& path, const std::string& content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return false;
  const bool written =
      write_all(file, content) && ::ftruncate(file, static_cast<off_t>(content.size())) == 0;
  ::close(file);
  return written;
}

template <class Texts>
std::string array_of(const Texts& texts) {
  std::string array = "[";
  for (const std::string& text : texts) {
    if (array.size() > 1)
      array += ',';
    append_json_string(array, text);
  }
  return array + "]";
}

// "" or what went wrong.
std::string write_beside(const std::string& path, const std::string& content) {
  const std::string beside = path + ".new";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                          storage::private_file_mode(path));
  if (file < 0)
    return beside + ": " + std::strerror(errno);
  const bool written = write_all(file, content);
  int cause = errno;
  ::close(file);
  if (written) {
    if (::rename(beside.c_str(), path.c_str()) == 0)
      return {};
    cause = errno;
  }
  ::unlink(beside.c_str());
  return path + ": " + std::strerror(cause);
}

}  // namespace

std::string status_json(const AgentFacts& agent, const Statistics& statistics,
                        const storage::WriterStatus& store) {
  const auto number = [](std::string& out, const char* name, std::uint64_t value) {
    append_json_number(out, name, static_cast<long long>(value));
  };
  std::string storing = "{";
  append_json_raw(storing, "failing", store.failing ? "true" : "false");
  append_json_member(storing, "last_error", store.last_error);
  storing += '}';

  std::string out = "{";
  append_json_number(out, "pid", agent.pid);
  append_json_member(out, "version", agent.version);
  append_json_member(out, "region", agent.region);
  append_json_member(out, "listen", agent.listen);
  append_json_raw(out, "listeners", array_of(agent.listeners));
  append_json_member(out, "proxy", agent.proxy);
  append_json_member(out, "upstream", agent.upstream);
  append_json_member(out, "started_at", agent.started_at);
  number(out, "calls", statistics.calls);
  number(out, "recorded", store.committed);
  number(out, "passed_through", statistics.passed_through);
  number(out, "denied", statistics.denied);
  number(out, "policy_denied", statistics.policy_denied);
  number(out, "access_denied", statistics.access_denied);
  number(out, "flagged", statistics.flagged);
  number(out, "connections_refused", statistics.clients.connections_refused);
  number(out, "slow_clients_cut", statistics.clients.slow_cut);
  number(out, "intercepted_connections", statistics.proxy.intercepted);
  number(out, "tunnels", statistics.proxy.tunnels);
  number(out, "tunnel_bytes", statistics.proxy.tunnel_bytes);
  number(out, "tunnels_flagged", statistics.proxy.flagged);
  number(out, "proxy_refused", statistics.proxy.refused);
  number(out, "proxy_tls_failed", statistics.proxy.tls_failed);
  number(out, "dropped", store.dropped);
  number(out, "untold_drops", store.untold_drops);
  number(out, "upstream_errors", statistics.upstream_errors);
  number(out, "queued_records", store.queued_records);
  number(out, "queued_bytes", store.queued_bytes);
  append_json_raw(out, "storage", storing);
  append_json_raw(out, "last_errors", array_of(statistics.last_errors));
  out += "}\n";
  return out;
}

UntoldDrops read_untold_drops(const std::string& path) {
  UntoldDrops untold;
  simdjson::dom::parser parser;
  simdjson::dom::element status;
  std::string_view region;
  std::int64_t records = 0;
  if (parser.load(path).get(status) == simdjson::SUCCESS &&
      status["region"].get(region) == simdjson::SUCCESS &&
      status["untold_drops"].get(records) == simdjson::SUCCESS && records > 0) {
    untold.region = region;
    untold.records = static_cast<std::uint64_t>(records);
  }
  return untold;
}

std::string replace_file(const std::string& path, const std::string& content) {
  std::string problem = write_beside(path, content);
  if (!problem.empty() && overwrite(path, content))
    problem.clear();
  return problem;
}

}  // namespace invlog::capture
