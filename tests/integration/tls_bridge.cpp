#include "tests/integration/tls_bridge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "agent/capture/tls_context.h"

namespace invlog::test {
namespace {

bool send_all(int descriptor, const char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t sent = ::send(descriptor, bytes, count, MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    bytes += sent;
    count -= static_cast<std::size_t>(sent);
  }
  return true;
}

}  // namespace

TlsBridge::TlsBridge(To to) : to_(std::move(to)) {
  listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listening_, plain, size) != 0 || ::listen(listening_, 1) != 0 ||
      ::getsockname(listening_, plain, &size) != 0) {
    throw std::runtime_error("TlsBridge: no port");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

TlsBridge::~TlsBridge() {
  ::shutdown(listening_, SHUT_RDWR);  // wakes an accept() that nobody answers any more
  if (thread_.joinable())
    thread_.join();
  ::close(listening_);
}

std::string TlsBridge::problem() {
  if (thread_.joinable())
    thread_.join();
  return problem_;
}

bool TlsBridge::begin(LoopbackSocket& agent, SSL_CTX* context) {
  if (to_.by_connect) {
    const std::string authority = to_.host + ":" + std::to_string(to_.port);
    agent.send("CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n");
    const std::string head = agent.read_until("\r\n\r\n");
    if (head.find(" 200 ") == std::string::npos) {
      problem_ = head;
      return false;
    }
  }
  session_ = SSL_new(context);
  SSL_set_fd(session_, agent.descriptor());
  SSL_clear_mode(session_, SSL_MODE_AUTO_RETRY);  // a session ticket alone must not hold up a read
  const std::string& name = to_.name.empty() ? to_.host : to_.name;
  SSL_set_tlsext_host_name(session_, name.c_str());
  SSL_set1_host(session_, name.c_str());
  SSL_set_verify(session_, SSL_VERIFY_PEER, nullptr);
  if (!to_.protocol.empty()) {
    const std::string offered =
        std::string(1, static_cast<char>(to_.protocol.size())) + to_.protocol;
    SSL_set_alpn_protos(session_, reinterpret_cast<const unsigned char*>(offered.data()),
                        static_cast<unsigned>(offered.size()));
  }
  if (SSL_connect(session_) == 1)
    return true;
  const long verified = SSL_get_verify_result(session_);
  problem_ =
      verified != X509_V_OK ? X509_verify_cert_error_string(verified) : capture::take_tls_error();
  return false;
}

void TlsBridge::pass(int client) {
  char bytes[16 * 1024];
  pollfd waited[2] = {{client, POLLIN, 0}, {SSL_get_fd(session_), POLLIN, 0}};
  for (;;) {
    if (SSL_pending(session_) == 0 && ::poll(waited, 2, 10'000) <= 0)
      return;
    if ((waited[0].revents & (POLLIN | POLLHUP)) != 0) {
      const ssize_t count = ::recv(client, bytes, sizeof bytes, MSG_DONTWAIT);
      if (count == 0)
        return;
      if (count > 0 && SSL_write(session_, bytes, static_cast<int>(count)) <= 0)
        return;
    }
    if (SSL_pending(session_) > 0 || (waited[1].revents & (POLLIN | POLLHUP)) != 0) {
      const int count = SSL_read(session_, bytes, sizeof bytes);
      if (count <= 0 && SSL_get_error(session_, count) == SSL_ERROR_WANT_READ)
        continue;
      if (count <= 0 || !send_all(client, bytes, static_cast<std::size_t>(count)))
        return;
    }
  }
}

void TlsBridge::serve() {
  const int client = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0)
    return;
  LoopbackSocket agent = LoopbackSocket::connect(to_.proxy_port);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_load_verify_file(context, to_.authority_file.c_str());
  if (begin(agent, context))
    pass(client);
  SSL_free(session_);
  session_ = nullptr;
  SSL_CTX_free(context);
  ERR_clear_error();
  ::close(client);
}

}  // namespace invlog::test
