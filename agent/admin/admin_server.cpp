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
  if (tcp_)
    tcp_->stop();
  if (unix_)
    unix_->stop();
  for (const std::shared_ptr<Reply>& reply : waiting_)
    reply->arrived.set();
  sessions_.sessions.close();
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
  const auto reply = std::make_shared<Reply>();
  waiting_.push_back(reply);
  boost::asio::post(thread_, [this, reply, counts = sources_.counts()] {
    const StoreFacts& store = store_.look(std::chrono::steady_clock::now(), counts.destinations);
    std::string text = metrics_text(counts, store, read_process_facts(), storage::system_now_us());
    boost::asio::post(executor_, [reply, text = std::move(text)]() mutable {
      reply->text = std::move(text);
      reply->arrived.set();
    });
  });
  co_await reply->arrived.wait();
  waiting_.remove(reply);
  Answer answer;
  if (reply->text.empty()) {  // the agent stops meanwhile
    answer.status = 503;
    answer.text = kStopping;
  } else {
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    answer.text = std::move(reply->text);
  }
  co_return answer;
}

}  // namespace invlog::admin
