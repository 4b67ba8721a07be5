#include "agent/admin/metrics_text.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "tests/catch.h"

using namespace invlog::admin;
using invlog::bedrock::Invocation;
using invlog::bedrock::Operation;
using invlog::bedrock::Outcome;

namespace {

constexpr std::int64_t kNowUs = 1'791'331'211'000'000;

std::string text_of(const AgentCounts& agent, const StoreFacts& store = {}) {
  return metrics_text(agent, store, {}, kNowUs);
}

// The value behind this name and these labels, as written; "" if there is none.
std::string value_of(const std::string& text, const std::string& series) {
  const std::size_t at = ("\n" + text).find("\n" + series + " ");
  if (at == std::string::npos) {
    return "";
  }
  const std::size_t begin = at + series.size() + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

void end_call(AgentCounts& agent, Operation operation, Outcome outcome, int status,
              std::int64_t duration_us, std::optional<std::int64_t> first_byte_us = {}) {
  Invocation call;
  call.outcome = outcome;
  call.status = status;
  call.duration_us = duration_us;
  call.first_byte_us = first_byte_us;
  agent.statistics.ended.count(operation, call);
}

StoreFacts delivering() {
  StoreFacts store;
  store.database_bytes = 4096;
  store.wal_bytes = 512;
  store.last_record = 30;
  store.events = {{"delivery-refused", 2}, {"started", 1}};
  DestinationFacts s3;
  s3.state.destination = "s3";
  s3.state.delivered_records = 20;
  s3.state.delivered_batches = 4;
  s3.state.delivered_bytes = 9000;
  s3.state.retries = 3;
  s3.state.last_success_us = kNowUs - 5'000'000;
  s3.state.last_error = "no route";
  s3.backlog = {10, 12345, kNowUs - 2'500'000};
  s3.dead_letters = 7;
  s3.lost = 6;
  store.destinations.push_back(s3);
  return store;
}

}  // namespace

TEST_CASE("what the agent counts is under its name", "[admin]") {
  AgentCounts agent;
  agent.version = "1.2.3";
  agent.region = "eu-central-1";
  agent.statistics.calls = 11;
  agent.statistics.denied = 9;
  agent.statistics.policy_denied = 3;
  agent.statistics.access_denied = 4;
  agent.statistics.clients.connections_refused = 6;
  agent.statistics.clients.slow_cut = 12;
  agent.statistics.flagged = 2;
  agent.statistics.proxy = {5, 6, 700, 1, 2, 3, 4};
  agent.statistics.in_flight = 4;
  agent.loop.connections = 9;
  agent.loop.http2_streams = 8;
  agent.loop.body_bytes_limit = 1ull << 40;
  agent.writer.committed = 123456789;
  agent.writer.dropped = 1;
  agent.writer.queued_bytes = 77;
  const std::string text = text_of(agent);
  CHECK(value_of(text, "invlog_build_info{version=\"1.2.3\",region=\"eu-central-1\"}") == "1");
  CHECK(value_of(text, "invlog_requests_total") == "11");
  CHECK(value_of(text, "invlog_requests_denied_total{reason=\"policy\"}") == "3");
  CHECK(value_of(text, "invlog_requests_denied_total{reason=\"access\"}") == "4");
  CHECK(value_of(text, "invlog_requests_denied_total{reason=\"other\"}") == "2");
  CHECK(value_of(text, "invlog_connections_refused_total") == "6");
  CHECK(value_of(text, "invlog_slow_clients_cut_total") == "12");
  CHECK(value_of(text, "invlog_policy_flagged_total") == "2");
  CHECK(value_of(text, "invlog_proxy_connections_total{result=\"intercepted\"}") == "5");
  CHECK(value_of(text, "invlog_proxy_connections_total{result=\"tunnelled\"}") == "6");
  CHECK(value_of(text, "invlog_proxy_connections_total{result=\"refused\"}") == "3");
  CHECK(value_of(text, "invlog_proxy_connections_total{result=\"tls-failed\"}") == "4");
  CHECK(value_of(text, "invlog_proxy_tunnel_bytes_total") == "700");
  CHECK(value_of(text, "invlog_proxy_flagged_total") == "2");
  CHECK(value_of(text, "invlog_proxy_tunnels") == "1");
  CHECK(value_of(text, "invlog_requests_in_flight") == "4");
  CHECK(value_of(text, "invlog_client_connections") == "9");
  CHECK(value_of(text, "invlog_http2_streams") == "8");
  CHECK(value_of(text, "invlog_body_memory_limit_bytes") == "1099511627776");
  CHECK(value_of(text, "invlog_records_committed_total") == "123456789");
  CHECK(value_of(text, "invlog_records_dropped_total") == "1");
  CHECK(value_of(text, "invlog_queue_bytes") == "77");
  CHECK(value_of(text, "invlog_store_failing") == "0");
  CHECK(value_of(text, "invlog_store_limit_bytes").empty());
}

TEST_CASE("calls are counted by operation, outcome and class of status", "[admin]") {
  AgentCounts agent;
  end_call(agent, Operation::converse, Outcome::complete, 200, 70'000, 60'000);
  end_call(agent, Operation::converse, Outcome::complete, 429, 40'000, 40'000);
  end_call(agent, Operation::responses, Outcome::timeout, 504, 400'000'000);
  end_call(agent, Operation::converse_stream, Outcome::client_closed, 0, 1'000'000);
  end_call(agent, Operation::invoke_model, Outcome::complete, 999, 50'000);  // a strange upstream
  const std::string text = text_of(agent);
  const auto calls = [&](const std::string& labels) {
    return value_of(text, "invlog_calls_total{" + labels + "}");
  };
  CHECK(calls("operation=\"Converse\",outcome=\"complete\",status=\"2xx\"") == "1");
  CHECK(calls("operation=\"Converse\",outcome=\"complete\",status=\"4xx\"") == "1");
  CHECK(calls("operation=\"Responses\",outcome=\"timeout\",status=\"5xx\"") == "1");
  CHECK(calls("operation=\"ConverseStream\",outcome=\"client-closed\",status=\"none\"") == "1");
  CHECK(calls("operation=\"InvokeModel\",outcome=\"complete\",status=\"5xx\"") == "1");
  // There before it has happened, so that a rate can be taken of the first.
  CHECK(calls("operation=\"ChatCompletions\",outcome=\"complete\",status=\"2xx\"") == "0");
  CHECK(calls("operation=\"ChatCompletions\",outcome=\"error\",status=\"4xx\"").empty());

  const std::string duration = "invlog_call_duration_seconds";
  CHECK(value_of(text, duration + "_bucket{le=\"0.05\"}") == "2");
  CHECK(value_of(text, duration + "_bucket{le=\"0.1\"}") == "3");
  CHECK(value_of(text, duration + "_bucket{le=\"300\"}") == "4");
  CHECK(value_of(text, duration + "_bucket{le=\"+Inf\"}") == "5");
  CHECK(value_of(text, duration + "_count") == "5");
  CHECK(value_of(text, duration + "_sum") == "401.16");
  CHECK(value_of(text, "invlog_call_first_byte_seconds_count") == "2");
}

TEST_CASE("the store's and each destination's figures are there when the store can be read",
          "[admin]") {
  AgentCounts agent;
  agent.store_bytes_limit = 1 << 20;
  const std::string text = text_of(agent, delivering());
  const auto s3 = [&](const std::string& name) {
    return value_of(text, "invlog_delivery_" + name + "{destination=\"s3\"}");
  };
  CHECK(value_of(text, "invlog_store_bytes{file=\"database\"}") == "4096");
  CHECK(value_of(text, "invlog_store_bytes{file=\"wal\"}") == "512");
  CHECK(value_of(text, "invlog_store_limit_bytes") == "1048576");
  CHECK(value_of(text, "invlog_store_events{kind=\"delivery-refused\"}") == "2");
  CHECK(s3("backlog_records") == "10");
  CHECK(s3("backlog_bytes") == "12345");
  CHECK(s3("backlog_age_seconds") == "2.5");
  CHECK(s3("records_total") == "20");
  CHECK(s3("batches_total") == "4");
  CHECK(s3("bytes_total") == "9000");
  CHECK(s3("retries_total") == "3");
  CHECK(s3("lost_records_total") == "6");
  CHECK(s3("dead_letters") == "7");
  CHECK(s3("failing") == "1");
  CHECK(s3("last_success_timestamp_seconds") == "1791331206");

  StoreFacts unreadable;
  unreadable.problem = "no";
  const std::string less = text_of(agent, unreadable);
  CHECK(value_of(less, "invlog_store_readable") == "0");
  CHECK(less.find("invlog_store_last_record") == std::string::npos);
  CHECK(less.find("invlog_delivery_") == std::string::npos);
}

TEST_CASE("every family has HELP and TYPE once, and counters end with _total", "[admin]") {
  std::set<std::string> families;
  std::istringstream lines(text_of({}, delivering()));
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    if (!line.starts_with("# TYPE ")) {
      CHECK((line.starts_with("# HELP ") || !line.starts_with("#")));
      continue;
    }
    std::istringstream words(line.substr(7));
    std::string name, type;
    words >> name >> type;
    CHECK(families.insert(name).second);
    CHECK((type == "counter") == name.ends_with("_total"));
  }
  CHECK(families.size() > 40);
}
