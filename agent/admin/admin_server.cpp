#include "agent/admin/admin_server.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <stdexcept>

#include "storage/time_text.h"

namespace invlog::admin {
namespace {

using capture::BodyRead;
using capture::Exchange;
using capture::RequestHead;
using capture::ResponseHead;
using capture::Task;

constexpr std::size_t kLongestBody = 1024;
constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kStopping = "the agent is stopping\n";
constexpr const char* kPaths = "/metrics\n/healthz\n/readyz\n";

capture::SessionOptions small_sessions() {
  capture::SessionOptions options;
  options.client_stall_timeout = std::chrono::seconds(10);
  options.keep_alive_timeout = std::chrono::seconds(120);
  options.max_concurrent_streams = 8;
  options.max_connections = AdminServer::kMostConnections;
  return options;
}

ResponseHead head_of(int status, const std::string& content_type, std::size_t length) {
  ResponseHead head;
  head.status = status;
  head.reason = capture::reason_phrase(status);
  head.headers = {{"Content-Type", content_type},
                  {"Content-Length", std::to_string(length)},
                  {"Cache-Control", "no-store"}};
  if (status == 405)
    head.headers.emplace_back("Allow", "GET, HEAD");
  head.body = ResponseHead::Body::length;
  return head;
}

}  // namespace

AdminServer::AdminServer(capture::Executor executor, capture::Watchdog& watchdog,
                         const config::AdminConfig& configuration, AdminSources sources)
    : executor_(executor),
      configuration_(configuration),
      sources_(std::move(sources)),
      browsers_(sources_.allowed_hosts, ""),
      store_(sources_.store_path),
      sessions_{{[this](Exchange& exchange) { return handle(exchange); }},
                small_sessions(),
                watchdog,
                {},
                counts_} {
  try {
    if (!configuration.listen_host.empty()) {
      tcp_ = std::make_unique<capture::TcpListener>(executor, configuration.listen_host,
                                                    configuration.listen_port, sessions_,
                                                    sessions_.endpoint);
    }
    if (!configuration.listen_socket.empty()) {
      unix_ = std::make_unique<capture::UnixListener>(executor, configuration.listen_socket,
                                                      sessions_, sessions_.endpoint);
    }
  } catch (const std::exception& failure) {
    throw std::runtime_error(std::string("[admin] ") + failure.what());
  }
}

AdminServer::~AdminServer() {
  stop();
  thread_.join();
}

void AdminServer::stop() {
  if (std::exchange(stopped_, true))
    return;
  store_.give_up();  // the stop waits for its look
  if (tcp_)
    tcp_->stop();
  if (unix_)
    unix_->stop();
  for (const std::shared_ptr<Scrape>& scrape : looks_->waiting)
    scrape->arrived.set();
  sessions_.sessions.close();
  sessions_.refused.close();
}

std::string AdminServer::address() const {
  std::string text;
  if (tcp_)
    text = "http://" + tcp_->address();
  if (unix_)
    text += (text.empty() ? "" : " and ") + unix_->address();
  return text;
}

Task<void> AdminServer::handle(Exchange& exchange) {
  Answer answer = co_await answer_to(exchange);
  if (answer.status == 0)
    co_return;
  const ResponseHead head = head_of(answer.status, answer.content_type, answer.text.size());
  co_await capture::give_response(exchange, head, answer.text);
}

Task<AdminServer::Answer> AdminServer::answer_to(Exchange& exchange) {
  // No browser reaches a Unix socket, and clients send any Host there.
  if (exchange.peer().transport != capture::Peer::Transport::unix_socket) {
    if (const std::string problem = browsers_.problem(exchange.request()); !problem.empty()) {
      exchange.leave_body();
      co_return Answer{403, kText, problem + "\n"};
    }
  }
  std::string body;
  const BodyRead read = co_await exchange.read_body(body, kLongestBody);
  if (read == BodyRead::complete)
    co_return co_await found(exchange.request());
  if (read == BodyRead::client_gone)
    co_return Answer{0, kText, ""};
  co_return Answer{read == BodyRead::too_large ? 413 : 400, kText, "no body is expected\n"};
}

Task<AdminServer::Answer> AdminServer::found(const RequestHead& request) {
  Answer answer;
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (request.method != "GET" && request.method != "HEAD") {
    answer.status = 405;
    answer.text = "only GET and HEAD are answered here\n";
  } else if (path == "/metrics") {
    answer = co_await metrics();
  } else if (path == "/readyz") {
    answer = readiness();
  } else if (path == "/healthz") {
    answer.text = "ok\n";
  } else if (path == "/") {
    answer.text = kPaths;
  } else {
    answer.status = 404;
    answer.text = std::string("there is nothing here but\n") + kPaths;
  }
  co_return answer;
}

AdminServer::Answer AdminServer::readiness() const {
  Answer answer;
  for (const std::string& reason : sources_.not_ready()) {
    answer.status = 503;
    answer.text += reason + "\n";
  }
  if (answer.text.empty())
    answer.text = "ready\n";
  return answer;
}

Task<AdminServer::Answer> AdminServer::metrics() {
  if (stopped_)
    co_return Answer{503, kText, kStopping};
  const auto scrape = std::make_shared<Scrape>();
  if (!looks_->under_way)
    begin_look();
  if (const auto limit = patience(); limit.count() > 0) {
    looks_->waiting.push_back(scrape);
    capture::Watchdog::Deadline deadline(sessions_.watchdog, [scrape] { scrape->arrived.set(); });
    deadline.arm(limit);
    co_await scrape->arrived.wait();
    looks_->waiting.remove(scrape);
  }
  if (stopped_)
    co_return Answer{503, kText, kStopping};
  if (!scrape->store) {
    scrape->store.emplace();
    scrape->store->problem = "the disk of " + sources_.store_path + " does not answer";
  }
  co_return Answer{200, "text/plain; version=0.0.4; charset=utf-8",
                   metrics_text(sources_.counts(), *scrape->store, read_process_facts(),
                                storage::system_now_us())};
}

// How much longer to wait for the look under way: none has more than kLongestLook altogether, so
// that scrapes of a disk that hangs do not take the connections that health needs.
std::chrono::milliseconds AdminServer::patience() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(looks_->began + kLongestLook -
                                                               sessions_.watchdog.now());
}

void AdminServer::begin_look() {
  looks_->under_way = true;
  looks_->began = sessions_.watchdog.now();
  boost::asio::post(thread_, [this, destinations = sources_.counts().destinations, looks = looks_] {
    StoreFacts found = sources_.look_at_store
                           ? sources_.look_at_store(destinations)
                           : store_.look(std::chrono::steady_clock::now(), destinations);
    boost::asio::post(executor_, [looks, found = std::move(found)] {
      looks->under_way = false;
      for (const std::shared_ptr<Scrape>& scrape : looks->waiting) {
        scrape->store = found;
        scrape->arrived.set();
      }
    });
  });
}

}  // namespace invlog::admin
