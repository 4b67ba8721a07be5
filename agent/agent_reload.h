// SIGHUP: the running agent reads its configuration again and takes what can change without a
// restart (config/config_reloader.h says what that is). Whatever is wrong with the new one, the
// agent goes on with the old one, whole.
//
// Each reload is one line in the log, and a row in the store's `event` table:
// `configuration-reloaded` {"changed":[...],"needs_restart":[...]}, or `configuration-refused`
// {"reason":"..."}; none if nothing has changed.
//
// Threads: the I/O thread; files are read and patterns compiled on the loop's helper. Ownership:
// the loop, the reloader and what `apply` uses must outlive it. Errors: none leave it.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>

#include "agent/bedrock/privacy_filter.h"
#include "agent/capture/agent_loop.h"
#include "agent/config/config_reloader.h"

namespace invlog {

class AgentReload {
 public:
  using Privacy = std::shared_ptr<const bedrock::PrivacyFilter>;
  using NoteEvent = std::function<void(const char* kind, std::string details)>;

  // `apply` puts everything but the loop's own part in force; it may throw std::exception, which
  // becomes a line in the log.
  AgentReload(capture::AgentLoop& loop, config::ConfigReloader& reloader, NoteEvent note_event,
              std::function<void(const config::AgentConfig&)> apply);
  // Waits for what the helper has begun.
  ~AgentReload();

  // Around each reload, on the I/O thread, whatever comes of it: for the service manager
  // (RELOADING=1, READY=1). Signals that come during a reload make one more after it.
  std::function<void()> before, after;

  // Listens for SIGHUP from now on. A moment before it, SIGHUP ends the process: ignore it early.
  void start();
  // As the signal does; on the I/O thread.
  void reload();

 private:
  struct Read;

  void wait_for_signal();
  void begin();
  Read read();
  Privacy privacy_of(const config::AgentConfig& configuration);
  void finish(Read& read);
  void put_in_force(Read& read);
  void refuse(const config::Problems& problems);
  void note_refusal(const std::string& reason);

  capture::AgentLoop& loop_;
  config::ConfigReloader& reloader_;
  const NoteEvent note_event_;
  const std::function<void(const config::AgentConfig&)> apply_;
  boost::asio::signal_set signals_;
  bool under_way_ = false, again_ = false;
};

}  // namespace invlog
