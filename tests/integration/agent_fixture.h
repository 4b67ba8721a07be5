// The agent's loop on a thread of its own, over a fake store and given credentials, listening on
// loopback port 0.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/capture/agent_loop.h"
#include "tests/integration/fake_sink.h"
#include "tests/integration/loopback_socket.h"

namespace invlog::test {

class FixedCredentials : public aws::CredentialsProvider {
 public:
  aws::ProvideResult provide() override {
    const std::lock_guard lock(gate);
    return result;
  }
  std::mutex gate;  // held: there is no answer
  aws::ProvideResult result = std::optional<aws::Credentials>();
};

class AgentFixture {
 public:
  // Region eu-central-1, port 0, credentials AKIDEXAMPLE.
  static config::AgentConfig configuration(const std::string& upstream_url);

  // `environment`: for HTTPS_PROXY and NO_PROXY; empty by default.
  explicit AgentFixture(
      config::AgentConfig configuration, bool with_credentials = true,
      aws::Environment environment = [](const char*) { return std::optional<std::string>(); },
      std::chrono::milliseconds stop_limit = std::chrono::seconds(3),
      const std::vector<int>& proxy_sockets = {}, const capture::HostUsers& users = {});
  ~AgentFixture();

  LoopbackSocket connect() { return LoopbackSocket::connect(loop_->port()); }
  std::uint16_t port() const { return loop_->port(); }
  FakeSink& sink() { return sink_; }
  FixedCredentials& credentials() { return credentials_; }
  capture::AgentLoop& loop() { return *loop_; }  // its thread runs: post to its context
  // Begins a stop, as SIGTERM does.
  void begin_stop();
  void join();
  // As if STS had said whose the credentials are.
  void set_signing_identity(const capture::SigningIdentity& identity);
  void when_signed_with_unknown_key(std::function<void(const std::string&)> told);
  // As if the catalogue had been read.
  void set_profiles(residency::FindProfile profiles);
  // As a reload does, with a filter of the configuration's [privacy].
  void change(const config::AgentConfig& configuration);
  // A counter, read on the agent's thread.
  capture::Statistics statistics();
  // What it holds of bodies in flight, likewise.
  std::uint64_t body_bytes();
  // The counters after join().
  const capture::Statistics& statistics_after_stop() const { return loop_->statistics(); }

 private:
  FakeSink sink_;
  FixedCredentials credentials_;
  std::unique_ptr<capture::AgentLoop> loop_;
  std::thread thread_;
};

// A POST with Content-Length.
std::string post(std::string_view target, std::string_view body,
                 std::string_view more_headers = {});
inline constexpr std::string_view kConverse = "/model/eu.amazon.nova-2-lite-v1%3A0/converse";

}  // namespace invlog::test
