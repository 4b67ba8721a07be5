// The [admin] listener over real connections: what it answers, and what it does not put up with.
#include <sys/stat.h>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <thread>

#include "agent/admin/admin_server.h"
#include "tests/catch.h"
#include "tests/integration/loopback_socket.h"
#include "tests/temporary_directory.h"

namespace invlog::test {
namespace {

using admin::AdminServer;

// A server on a loop and a thread of its own; there is no store.
class Served {
 public:
  using Look = std::function<admin::StoreFacts(const std::vector<std::string>&)>;

  explicit Served(std::vector<std::string> reasons = {}, Look look = {}) {
    config::AdminConfig configuration;
    configuration.listen_host = "127.0.0.1";
    configuration.listen_socket = directory_.path() + "/admin.sock";
    admin::AdminSources sources;
    sources.counts = [] {
      admin::AgentCounts counts;
      counts.version = "1.2.3";
      return counts;
    };
    sources.not_ready = [reasons = std::move(reasons)] { return reasons; };
    sources.look_at_store = std::move(look);
    sources.store_path = directory_.path() + "/none.db";
    sources.allowed_hosts = {"monitor.example.com"};
    server_ = std::make_unique<AdminServer>(context_.get_executor(), watchdog_, configuration,
                                            std::move(sources));
    const std::string address = server_->address();
    port_ = static_cast<std::uint16_t>(
        std::stoi(address.substr(address.find(':', address.find("//")) + 1)));
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Served() {
    stop();
    work_.reset();
    context_.stop();
    thread_.join();
    context_.restart();
    context_.poll();  // what was closed hears of it
    server_.reset();
  }

  void stop() {
    std::promise<void> done;
    boost::asio::post(context_, [&] {
      server_->stop();
      done.set_value();
    });
    done.get_future().wait();
  }
  // What waits from now on has waited for `time` more.
  void pass(std::chrono::seconds time) {
    std::promise<void> done;
    boost::asio::post(context_, [&] {
      watchdog_.tick(watchdog_.now() + time);
      done.set_value();
    });
    done.get_future().wait();
  }
  LoopbackSocket connect() const { return LoopbackSocket::connect(port_); }
  std::string socket() const { return directory_.path() + "/admin.sock"; }
  std::string address() const { return server_->address(); }
  HttpResponse ask(const std::string& head) const {
    LoopbackSocket client = connect();
    client.send(head + "\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return read_response(client, head.starts_with("HEAD"));
  }

 private:
  tests::TemporaryDirectory directory_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<capture::Executor> work_{context_.get_executor()};
  capture::Watchdog watchdog_{std::chrono::steady_clock::now()};
  std::unique_ptr<AdminServer> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

TEST_CASE("[admin] answers metrics, health and readiness", "[admin]") {
  const Served served;
  CHECK(served.address().ends_with(" and unix:" + served.socket()));
  const HttpResponse metrics = served.ask("GET /metrics?x=1 HTTP/1.1");
  CHECK(metrics.status == 200);
  CHECK(metrics.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(metrics.complete);
  CHECK_THAT(metrics.body, contains_text("\ninvlog_build_info{version=\"1.2.3\","));
  CHECK_THAT(metrics.body, contains_text("\ninvlog_store_readable 0\n"));
  CHECK(served.ask("GET /healthz HTTP/1.1").body == "ok\n");
  CHECK(served.ask("GET /readyz HTTP/1.1").body == "ready\n");
  CHECK(served.ask("GET / HTTP/1.1").body == "/metrics\n/healthz\n/readyz\n");
  const HttpResponse head = served.ask("HEAD /healthz HTTP/1.1");
  CHECK(head.status == 200);
  CHECK(head.header("Content-Length") == "3");
  CHECK(head.body.empty());
  LoopbackSocket local = LoopbackSocket::connect_unix(served.socket());
  local.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(read_response(local).body == "ok\n");
}

TEST_CASE("[admin] says why the agent is not ready", "[admin]") {
  const Served served({"the store takes no records: disk full", "the agent is stopping"});
  const HttpResponse response = served.ask("GET /readyz HTTP/1.1");
  CHECK(response.status == 503);
  CHECK(response.body == "the store takes no records: disk full\nthe agent is stopping\n");
  CHECK(served.ask("GET /healthz HTTP/1.1").status == 200);
}

TEST_CASE("[admin] answers health and metrics while the store's disk hangs", "[admin]") {
  std::promise<void> go, reached;
  std::atomic<int> looks{0};
  Served served({}, [&, going = go.get_future().share()](const std::vector<std::string>&) {
    if (++looks == 1) {
      reached.set_value();
      going.wait();
    }
    return admin::StoreFacts();
  });
  std::vector<LoopbackSocket> scrapes;
  for (std::size_t number = 0; number < AdminServer::kMostConnections; ++number) {
    scrapes.push_back(served.connect());
    scrapes.back().send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  reached.get_future().wait();
  // Which of the others wait already is all the same: it is the one look.
  served.pass(AdminServer::kLongestLook + std::chrono::seconds(1));
  for (LoopbackSocket& scrape : scrapes) {
    const HttpResponse metrics = read_response(scrape);
    CHECK(metrics.status == 200);
    CHECK_THAT(metrics.body, contains_text("\ninvlog_store_readable 0\n"));
    CHECK_THAT(metrics.body, contains_text("\ninvlog_build_info{version=\"1.2.3\","));
  }
  CHECK(served.ask("GET /healthz HTTP/1.1").status == 200);
  // At once: this look has had its time.
  CHECK_THAT(served.ask("GET /metrics HTTP/1.1").body,
             contains_text("\ninvlog_store_readable 0\n"));
  CHECK(looks == 1);
  go.set_value();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::string body;
  while (body.find("\ninvlog_store_readable 1\n") == std::string::npos &&
         std::chrono::steady_clock::now() < limit) {
    body = served.ask("GET /metrics HTTP/1.1").body;
  }
  CHECK_THAT(body, contains_text("\ninvlog_store_readable 1\n"));
}

TEST_CASE("[admin] ends while a look at the store is under way", "[admin]") {
  std::promise<void> go, reached;
  {
    Served served({}, [&, going = go.get_future().share()](const std::vector<std::string>&) {
      reached.set_value();
      going.wait();
      return admin::StoreFacts();
    });
    LoopbackSocket scrape = served.connect();
    scrape.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    reached.get_future().wait();
    served.stop();
    CHECK(read_response(scrape).status != 200);
    go.set_value();
  }
}

TEST_CASE("[admin] refuses what it is not there for", "[admin]") {
  const Served served;
  CHECK(served.ask("GET /else HTTP/1.1").status == 404);
  const HttpResponse post = served.ask("DELETE /metrics HTTP/1.1");
  CHECK(post.status == 405);
  CHECK(post.header("Allow") == "GET, HEAD");
  CHECK(served.ask("POST /metrics HTTP/1.1\r\nContent-Length: 100000").status == 413);
  LoopbackSocket client = served.connect();
  client.send("GET /metrics HTTP/1.1\r\nX-Long: " + std::string(70'000, 'x') + "\r\n\r\n");
  CHECK(read_response(client).status >= 400);
}

TEST_CASE("[admin] gives web pages nothing on TCP", "[admin]") {
  const Served served;
  for (const char* header : {"Host: localhost\r\nOrigin: https://page.example",
                             "Host: localhost\r\nOrigin: null", "Host: rebound.example:4182"}) {
    LoopbackSocket page = served.connect();
    page.send(std::string("GET /metrics HTTP/1.1\r\n") + header + "\r\n\r\n");
    const HttpResponse refused = read_response(page);
    CHECK(refused.status == 403);
    CHECK_THAT(refused.body, contains_text("invlog: the request"));
    LoopbackSocket local = LoopbackSocket::connect_unix(served.socket());
    local.send(std::string("GET /healthz HTTP/1.1\r\n") + header + "\r\n\r\n");
    CHECK(read_response(local).status == 200);
  }
  LoopbackSocket named = served.connect();
  named.send("GET /healthz HTTP/1.1\r\nHost: monitor.example.com\r\n\r\n");
  CHECK(read_response(named).status == 200);
}

TEST_CASE("[admin] leaves its group connect to its socket, whatever the umask", "[admin]") {
  const Served served;
  struct stat information {};
  REQUIRE(::stat(served.socket().c_str(), &information) == 0);
  CHECK((information.st_mode & 0777) == 0660);
}

TEST_CASE("[admin] leaves nothing behind of what was accepted as it ended", "[admin]") {
  for (int turns = 0; turns < 16; ++turns) {
    const tests::TemporaryDirectory directory;
    config::AdminConfig configuration;
    configuration.listen_host = "127.0.0.1";
    admin::AdminSources sources;
    sources.counts = [] { return admin::AgentCounts(); };
    sources.not_ready = [] { return std::vector<std::string>(); };
    sources.store_path = directory.path() + "/none.db";
    boost::asio::io_context context{1};
    capture::Watchdog watchdog{std::chrono::steady_clock::now()};
    AdminServer server(context.get_executor(), watchdog, configuration, std::move(sources));
    const std::string address = server.address();
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    std::vector<LoopbackSocket> clients;
    for (int number = 0; number < 3; ++number) {
      clients.push_back(LoopbackSocket::connect(port));
      if (number > 0)
        clients.back().send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for (int turn = 0; turn < turns; ++turn)
      context.poll_one();
    server.stop();
    context.run_for(std::chrono::seconds(10));  // what a helper is at may still come
    CHECK(context.stopped());                   // else a coroutine waits, and outlives the server
    for (LoopbackSocket& client : clients) {
      while (!client.sees_end(std::chrono::milliseconds(1000)))
        REQUIRE_FALSE(client.read_some().empty());
    }
  }
}

TEST_CASE("[admin] has few connections, and the one that is idle for longest makes room",
          "[admin]") {
  const Served served;
  std::vector<LoopbackSocket> open;
  const auto answers = [](LoopbackSocket& client) {
    client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return read_response(client).status == 200;
  };
  for (std::size_t number = 0; number < AdminServer::kMostConnections; ++number) {
    open.push_back(served.connect());
    REQUIRE(answers(open.back()));
  }
  LoopbackSocket more = served.connect();
  CHECK(answers(more));
  CHECK(open.front().sees_end());
  open.erase(open.begin());
  CHECK(answers(more));
  for (LoopbackSocket& client : open)
    CHECK(answers(client));
}

TEST_CASE("[admin] ends with its connections, whatever they were doing", "[admin]") {
  Served served;
  LoopbackSocket idle = served.connect();
  idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(read_response(idle).status == 200);
  LoopbackSocket half = served.connect();
  half.send("GET /met");
  LoopbackSocket asking = served.connect();
  asking.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  served.stop();
  served.stop();
  CHECK(idle.sees_end());
  CHECK_THROWS(LoopbackSocket::connect_unix(served.socket()));
}

}  // namespace invlog::test
