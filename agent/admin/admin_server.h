// The [admin] listener: /metrics, /healthz and /readyz over HTTP, on loopback or a Unix socket.
//
// Uses the agent's own listeners and sessions on its I/O loop, with limits of their own: few
// connections, short timeouts, no bodies; a web page gets nothing on TCP. What may block (reading
// the store for /metrics) runs on a thread of the server's, and is waited for no longer than
// kLongestLook: with a disk that hangs, /metrics says so, and health is answered.
//
// Thread: constructed, stopped and destroyed on the I/O thread's owner while the loop does not run,
// or on the I/O thread. Ownership: must be stopped before the loop ends (AgentLoop::on_end), and
// destroyed before it; what AdminSources refer to must outlive it. Errors: the constructor throws
// std::runtime_error with one clear line (address in use).
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/admin/metrics_text.h"
#include "agent/admin/store_watch.h"
#include "agent/capture/browser_guard.h"
#include "agent/capture/listener.h"
#include "agent/config/admin_config.h"

namespace invlog::admin {

struct AdminSources {
  std::function<AgentCounts()> counts;  // asked on the I/O thread
  // Why the agent should be sent no calls now, each a line; empty: it is ready. On the I/O thread.
  std::function<std::vector<std::string>()> not_ready;
  // What the store and delivery say of themselves, on the server's thread, which it may hold up;
  // empty: what a StoreWatch sees in `store_path`. Takes the destinations' names.
  std::function<StoreFacts(const std::vector<std::string>&)> look_at_store;
  std::string store_path;
  std::vector<std::string> allowed_hosts;  // names of the agent on TCP (browser_guard.h)
};

class AdminServer {
 public:
  static constexpr std::size_t kMostConnections = 16;
  static constexpr std::chrono::seconds kLongestLook{5};

  AdminServer(capture::Executor executor, capture::Watchdog& watchdog,
              const config::AdminConfig& configuration, AdminSources sources);
  ~AdminServer();

  // "http://127.0.0.1:4182", "unix:/path", or both with "and" between; the port as bound.
  std::string address() const;
  std::uint16_t port() const { return tcp_ ? tcp_->port() : 0; }  // 0: there is only a socket
  // Closes listeners and connections.
  void stop();

 private:
  struct Answer {
    int status = 200;  // 0: nobody is there any more
    std::string content_type = "text/plain; charset=utf-8";
    std::string text;
  };
  // A coroutine on the loop that waits for what the thread below finds.
  struct Scrape {
    capture::Event arrived;
    std::optional<StoreFacts> store;
  };
  // At most one look at the store is under way, however many wait: a disk may hang. What the thread
  // answers to outlives the server.
  struct Looks {
    bool under_way = false;
    capture::Watchdog::Time began;
    std::list<std::shared_ptr<Scrape>> waiting;
  };

  capture::Task<void> handle(capture::Exchange& exchange);
  capture::Task<Answer> answer_to(capture::Exchange& exchange);
  capture::Task<Answer> found(const capture::RequestHead& request);
  Answer readiness() const;
  capture::Task<Answer> metrics();
  void begin_look();
  std::chrono::milliseconds patience() const;

  capture::Executor executor_;
  const config::AdminConfig configuration_;
  const AdminSources sources_;
  const capture::BrowserGuard browsers_;
  StoreWatch store_;              // the thread's
  capture::ClientCounts counts_;  // of this listener's own clients; told to nobody
  capture::SessionServices sessions_;
  const std::shared_ptr<Looks> looks_ = std::make_shared<Looks>();
  bool stopped_ = false;
  std::unique_ptr<capture::TcpListener> tcp_;
  std::unique_ptr<capture::UnixListener> unix_;
  boost::asio::thread_pool thread_{1};  // the first to go: it uses the rest
};

}  // namespace invlog::admin
