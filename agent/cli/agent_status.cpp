#include "agent/cli/agent_status.h"

#include <signal.h>
#include <simdjson.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/cli/json_layout.h"

namespace invlog::cli {
namespace {

using Element = simdjson::dom::element;

std::string text_at(const Element& object, const char* pointer) {
  std::string_view text;
  return object.at_pointer(pointer).get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

std::int64_t number_at(const Element& object, const char* pointer) {
  std::int64_t number = 0;
  return object.at_pointer(pointer).get(number) == simdjson::SUCCESS ? number : 0;
}

bool truth_at(const Element& object, const char* pointer) {
  bool truth = false;
  return object.at_pointer(pointer).get(truth) == simdjson::SUCCESS && truth;
}

// The agent writes strings, and may one day write objects: those are shown as they are.
std::vector<std::string> texts_at(const Element& object, const char* pointer) {
  std::vector<std::string> texts;
  simdjson::dom::array array;
  if (object.at_pointer(pointer).get(array) == simdjson::SUCCESS) {
    for (const Element element : array) {
      std::string_view text;
      texts.push_back(element.get(text) == simdjson::SUCCESS ? std::string(text)
                                                             : simdjson::minify(element));
    }
  }
  return texts;
}

}  // namespace

bool process_is_invlog(std::int64_t pid) {
  if (pid <= 0 || (::kill(static_cast<pid_t>(pid), 0) != 0 && errno != EPERM)) {
    return false;
  }
  std::ifstream name_file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  return !std::getline(name_file, name) || name == "invlog";
}

AgentStatus read_agent_status(const std::string& state_dir,
                              const std::function<bool(std::int64_t pid)>& is_invlog) {
  AgentStatus status;
  const std::string path = state_dir + "/status.json";
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) {
      status.problem = "cannot read " + path;
    }
    return status;
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  simdjson::dom::parser parser;
  Element object;
  if (parser.parse(text).get(object) != simdjson::SUCCESS || !object.is_object()) {
    status.problem = path + " is not the JSON object that an agent writes";
    return status;
  }
  status.known = true;
  status.json = one_line_json(text);
  status.pid = number_at(object, "/pid");
  status.running = is_invlog(status.pid);
  status.version = text_at(object, "/version");
  status.region = text_at(object, "/region");
  status.listen = text_at(object, "/listen");
  for (const std::string& address : texts_at(object, "/listen")) {
    status.listen += (status.listen.empty() ? "" : ", ") + address;
  }
  status.listeners = texts_at(object, "/listeners");
  if (status.listeners.empty() && !status.listen.empty()) {
    status.listeners = {status.listen};
  }
  status.proxy_listen = text_at(object, "/proxy");
  status.started_at = text_at(object, "/started_at");
  status.calls = number_at(object, "/calls");
  status.recorded = number_at(object, "/recorded");
  status.passed_through = number_at(object, "/passed_through");
  status.denied = number_at(object, "/denied");
  status.policy_denied = number_at(object, "/policy_denied");
  status.access_denied = number_at(object, "/access_denied");
  status.flagged = number_at(object, "/flagged");
  status.intercepted_connections = number_at(object, "/intercepted_connections");
  status.tunnels = number_at(object, "/tunnels");
  status.tunnels_flagged = number_at(object, "/tunnels_flagged");
  status.proxy_refused = number_at(object, "/proxy_refused");
  status.proxy_tls_failed = number_at(object, "/proxy_tls_failed");
  status.connections_refused = number_at(object, "/connections_refused");
  status.slow_clients_cut = number_at(object, "/slow_clients_cut");
  status.dropped = number_at(object, "/dropped");
  status.upstream_errors = number_at(object, "/upstream_errors");
  status.queued_records = number_at(object, "/queued_records");
  status.queued_bytes = number_at(object, "/queued_bytes");
  status.storage_failing = truth_at(object, "/storage/failing");
  status.storage_error = text_at(object, "/storage/last_error");
  status.last_errors = texts_at(object, "/last_errors");
  return status;
}

}  // namespace invlog::cli
