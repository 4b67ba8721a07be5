// The load client's command line: makes calls to one server and prints what they took as one line
// of JSON. Exit code 1 if any call failed.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <numeric>

#include "tests/bench/load_client.h"

namespace invlog::bench {
namespace {

// `scale` turns the unit of `values` into µs.
void print_times(const char* name, std::vector<std::int64_t> values, double scale) {
  if (values.empty()) {
    return;
  }
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const auto last = static_cast<double>(values.size() - 1);
    return static_cast<double>(values[static_cast<std::size_t>(share * last + 0.5)]) * scale;
  };
  const auto sum = std::accumulate(values.begin(), values.end(), 0.0);
  std::printf(
      ",\"%s\":{\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"max\":%.2f,\"mean\":%.2f,\"count\":%zu}",
      name, at(0.5), at(0.9), at(0.99), at(1), sum * scale / static_cast<double>(values.size()),
      values.size());
}

void print_result(const LoadResult& result) {
  const auto measured = result.call_ns.size();
  std::printf("{\"completed\":%llu,\"errors\":%llu,\"connects\":%llu,\"seconds\":%.6f",
              static_cast<unsigned long long>(result.completed),
              static_cast<unsigned long long>(result.errors),
              static_cast<unsigned long long>(result.connects), result.seconds);
  std::printf(",\"calls_per_second\":%.1f", static_cast<double>(measured) / result.seconds);
  print_times("call_us", result.call_ns, 1e-3);
  print_times("first_byte_us", result.first_byte_ns, 1e-3);
  print_times("frame_lag_us", result.frame_lag_us, 1);
  std::printf("}\n");
}

}  // namespace
}  // namespace invlog::bench

int main(int argument_count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  invlog::bench::LoadOptions options;
  bool unique = false;
  CLI::App app("Closed-loop (or paced) Converse calls to 127.0.0.1; prints the times as JSON.");
  app.add_option("--port", options.port, "server's port on 127.0.0.1")->required();
  auto* tls = app.add_option("--tls", options.tls_host, "TLS with a server of this name");
  app.add_option("--ca", options.ca_file, "PEM file with who may certify it")->needs(tls);
  app.add_option("--proxy-for", options.proxy_target, "ask for HOST:PORT by CONNECT first");
  app.add_option("--connections", options.connections, "clients, one connection each");
  app.add_option("--calls", options.calls, "measured calls in all");
  app.add_option("--warm-up", options.warm_up, "calls made before, not measured");
  app.add_option("--rate", options.calls_per_second,
                 "calls a second in all; times count from when a call was due");
  app.add_option("--body", options.request.body_bytes, "bytes of a request body");
  app.add_option("--response", options.response_bytes, "bytes of text in an answer");
  app.add_flag("--unique", unique, "nothing in a body was in an earlier one");
  app.add_flag("--stream", options.stream, "ConverseStream: also time to first byte, and frames");
  app.add_option("--frames", options.frames, "text deltas in a stream");
  app.add_option("--delay", options.frame_delay_us, "µs between them");
  app.add_option("--stall", options.stall_seconds, "give up after so many seconds of silence");
  CLI11_PARSE(app, argument_count, arguments);
  options.request.conversation = !unique;
  try {
    const auto result = invlog::bench::LoadClient(options).run();
    invlog::bench::print_result(result);
    if (result.errors > 0) {
      std::fprintf(stderr, "bench_load: %llu calls failed; the first: %s\n",
                   static_cast<unsigned long long>(result.errors), result.first_error.c_str());
      return 1;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 1;
  }
}
