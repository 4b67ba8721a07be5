#include "agent/agent_reload.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <csignal>
#include <exception>
#include <utility>
#include <vector>

#include "agent/config/json_strings.h"
#include "storage/joined.h"
#include "storage/json_writer.h"

namespace invlog {
// What the helper brings back to the I/O thread.
struct AgentReload::Read {
  config::ConfigChange change;
  config::AgentConfig configuration;
  config::Problems warnings;
  Privacy privacy;
};

AgentReload::AgentReload(capture::AgentLoop& loop, config::ConfigReloader& reloader,
                         NoteEvent note_event,
                         std::function<void(const config::AgentConfig&)> apply)
    : loop_(loop),
      reloader_(reloader),
      note_event_(std::move(note_event)),
      apply_(std::move(apply)),
      signals_(loop.context()) {}

AgentReload::~AgentReload() {
  loop_.helper().join();
}

void AgentReload::start() {
  signals_.add(SIGHUP);
  wait_for_signal();
}

void AgentReload::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& failure, int) {
    if (failure)
      return;
    wait_for_signal();
    reload();
  });
}

void AgentReload::reload() {
  if (std::exchange(under_way_, true)) {
    again_ = true;
    return;
  }
  begin();
}

void AgentReload::begin() {
  if (before)
    before();
  boost::asio::post(loop_.helper(), [this] {
    auto read = std::make_shared<Read>(this->read());
    boost::asio::post(loop_.context(), [this, read] { finish(*read); });
  });
}

AgentReload::Privacy AgentReload::privacy_of(const config::AgentConfig& configuration) {
  try {
    return bedrock::make_privacy_filter(configuration.privacy);
  } catch (const std::exception&) {
    reloader_.take_back();
    throw;
  }
}

AgentReload::Read AgentReload::read() {
  Read read;
  try {
    read.change = reloader_.reload();
    read.configuration = reloader_.configuration();
    read.warnings = reloader_.warnings();
    if (read.change.problems.empty())
      read.privacy = privacy_of(read.configuration);
  } catch (const std::exception& error) {
    read.change.problems = {error.what()};
  }
  return read;
}

void AgentReload::finish(Read& read) {
  if (read.change.problems.empty()) {
    put_in_force(read);
  } else {
    refuse(read.change.problems);
  }
  if (after)
    after();
  under_way_ = false;
  if (std::exchange(again_, false))
    reload();
}

void AgentReload::put_in_force(Read& read) {
  const config::ConfigChange& change = read.change;
  if (change.changed.empty() && change.needs_restart.empty()) {
    spdlog::info("the configuration was read again: nothing in it has changed");
    return;
  }
  if (!change.changed.empty()) {
    try {
      loop_.change(read.configuration, std::move(read.privacy));
      apply_(read.configuration);
    } catch (const std::exception& error) {
      // The next reload must not find that nothing has changed.
      reloader_.take_back();
      spdlog::error("the new configuration is not wholly in force: {}; restart the agent",
                    error.what());
      note_refusal(error.what());
      return;
    }
    spdlog::log(
        change.removed.empty() ? spdlog::level::info : spdlog::level::warn,
        "the configuration was read again; new in force: {}{}",
        storage::joined(change.changed, ", "),
        change.removed.empty() ? "" : "; removed: " + storage::joined(change.removed, ", "));
    for (const std::string& warning : read.warnings)
      spdlog::warn("{}", warning);
  }
  if (!change.needs_restart.empty()) {
    spdlog::warn(
        "the configuration was read again, but a new value of these keys needs a restart; until "
        "then the old one stays: {}",
        storage::joined(change.needs_restart, ", "));
  }
  std::string details = "{";
  storage::append_json_raw(details, "changed", config::json_strings(change.changed));
  storage::append_json_raw(details, "needs_restart", config::json_strings(change.needs_restart));
  note_event_("configuration-reloaded", details + "}");
}

void AgentReload::refuse(const config::Problems& problems) {
  const std::size_t more = problems.size() - 1;
  spdlog::error(
      "the new configuration is refused, the old one stays in force: {}{}", problems.front(),
      more == 0 ? ""
                : " (and " + std::to_string(more) + " more: `invlog check-config` lists them all)");
  note_refusal(problems.front());
}

void AgentReload::note_refusal(const std::string& reason) {
  std::string details = "{";
  storage::append_json_member(details, "reason", reason);
  note_event_("configuration-refused", details + "}");
}

}  // namespace invlog
