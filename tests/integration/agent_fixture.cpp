#include "tests/integration/agent_fixture.h"

#include <boost/asio/post.hpp>
#include <future>

#include "agent/bedrock/privacy_filter.h"

namespace invlog::test {

config::AgentConfig AgentFixture::configuration(const std::string& upstream_url) {
  config::AgentConfig configuration;
  configuration.region = "eu-central-1";
  configuration.listen_port = 0;
  configuration.upstream = upstream_url;
  return configuration;
}

AgentFixture::AgentFixture(config::AgentConfig configuration, bool with_credentials,
                           aws::Environment environment, std::chrono::milliseconds stop_limit,
                           const std::vector<int>& proxy_sockets, const capture::HostUsers& users) {
  if (with_credentials) {
    credentials_.result = aws::Credentials{
        "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-token", {}, "test"};
  }
  loop_ = std::make_unique<capture::AgentLoop>(configuration, environment, sink_, credentials_,
                                               std::vector<int>(), proxy_sockets, users);
  thread_ = std::thread([this, stop_limit] { loop_->run(stop_limit); });
}

AgentFixture::~AgentFixture() {
  begin_stop();
  join();
}

void AgentFixture::begin_stop() {
  if (thread_.joinable())
    boost::asio::post(loop_->context(), [this] { loop_->stop(); });
}

void AgentFixture::join() {
  if (thread_.joinable())
    thread_.join();
}

void AgentFixture::set_signing_identity(const capture::SigningIdentity& identity) {
  std::promise<void> done;
  boost::asio::post(loop_->context(), [&] {
    loop_->set_signing_identity(identity);
    done.set_value();
  });
  done.get_future().wait();
}

void AgentFixture::when_signed_with_unknown_key(std::function<void(const std::string&)> told) {
  std::promise<void> done;
  boost::asio::post(loop_->context(), [&] {
    loop_->when_signed_with_unknown_key(std::move(told));
    done.set_value();
  });
  done.get_future().wait();
}

void AgentFixture::set_profiles(residency::FindProfile profiles) {
  std::promise<void> done;
  boost::asio::post(loop_->context(), [&] {
    loop_->set_profiles(std::move(profiles));
    done.set_value();
  });
  done.get_future().wait();
}

void AgentFixture::change(const config::AgentConfig& configuration) {
  std::promise<void> done;
  boost::asio::post(loop_->context(), [&] {
    loop_->change(configuration, bedrock::make_privacy_filter(configuration.privacy));
    done.set_value();
  });
  done.get_future().wait();
}

capture::Statistics AgentFixture::statistics() {
  std::promise<capture::Statistics> promise;
  boost::asio::post(loop_->context(), [&] { promise.set_value(loop_->statistics()); });
  return promise.get_future().get();
}

std::uint64_t AgentFixture::body_bytes() {
  std::promise<std::uint64_t> promise;
  boost::asio::post(loop_->context(), [&] { promise.set_value(loop_->facts().body_bytes); });
  return promise.get_future().get();
}

std::string post(std::string_view target, std::string_view body, std::string_view more_headers) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1:4180\r\n" +
         "Content-Type: application/json\r\n" + std::string(more_headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace invlog::test
