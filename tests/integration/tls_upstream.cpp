#include "tests/integration/tls_upstream.h"

#include <boost/asio/post.hpp>
#include <stdexcept>

#include "agent/proxy/authority_files.h"
#include "agent/proxy/bedrock_hosts.h"

namespace invlog::test {
namespace {

proxy::CertificateAuthority authority_in(const std::string& directory) {
  auto authority = proxy::CertificateAuthority::load(directory);
  if (!authority)
    throw std::runtime_error(authority.error());
  return std::move(*authority);
}

}  // namespace

void make_authority(const std::string& state_dir) {
  const proxy::BedrockHosts hosts("eu-central-1", {});
  const auto made = proxy::AuthorityFiles(state_dir).create(
      {"eu-central-1", "test", hosts.permitted_names()}, {}, std::chrono::system_clock::now());
  if (!made)
    throw std::runtime_error(made.error());
}

TlsUpstream::TlsUpstream(capture::ExchangeHandler handler)
    : watchdog_(std::chrono::steady_clock::now()),
      services_{{std::move(handler),
                 [this](capture::AcceptedConnection connection) {
                   return begin_tls(std::move(connection));
                 }},
                {},
                watchdog_,
                {},
                counts_} {
  make_authority(directory_.path());
  tls_ = std::make_unique<proxy::ServerTls>(authority_in(directory_.path()),
                                            [] { return std::chrono::system_clock::now(); });
  listener_ = std::make_unique<capture::TcpListener>(context_.get_executor(), "127.0.0.1", 0,
                                                     services_, services_.endpoint);
  thread_ = std::thread([this] { context_.run(); });
}

TlsUpstream::~TlsUpstream() {
  capture::asio::post(context_, [this] {
    listener_->stop();
    services_.sessions.close();
  });
  thread_.join();
}

std::string TlsUpstream::authority_file() const {
  return proxy::CertificateAuthority::certificate_path(directory_.path());
}

capture::Task<void> TlsUpstream::begin_tls(capture::AcceptedConnection connection) {
  auto session = tls_->open(kBedrockHost);
  if (!session)
    co_return;
  const std::string problem =
      co_await connection.stream.accept_tls(std::move(*session), connection.first_bytes);
  if (!problem.empty())
    co_return;
  connection.first_bytes.clear();
  const bool http2 = connection.stream.protocol() == "h2";
  co_await capture::serve_session(std::move(connection), services_, services_.endpoint.handler,
                                  http2);
}

}  // namespace invlog::test
